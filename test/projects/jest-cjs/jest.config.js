// jest.config.js
const commonjs = { plugins: ["@babel/plugin-transform-modules-commonjs"] };

module.exports = {
  transform: {
    "/node_modules/memwire/.+\\.js$": ["babel-jest", commonjs],
    "\\.[jt]sx?$": "babel-jest", // or ts-jest, @swc/jest: what your own files need
  },
  transformIgnorePatterns: ["/node_modules/(?!\\.pnpm|memwire/)"],
};

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import webpack from "webpack";

const configuration = {
  mode: "production",
  target: "node",
  entry: "./main.js",
  output: {
    path: `${import.meta.dirname}/out`,
    filename: "main.cjs",
    library: { type: "commonjs2" },
  },
};
const stats = await new Promise((resolve, reject) => {
  webpack(configuration, (error, done) => error ? reject(error) : resolve(done));
});
assert.ok(!stats.hasErrors() && !stats.hasWarnings(), stats.toString());

const { subPaths, roundTrip } = createRequire(import.meta.url)("./out/main.cjs");
assert.ok(subPaths.every((names) => names.length > 0));
assert.equal(await roundTrip(), "ada");

/** For Keyv's suite, which needs vitest; everything else here runs on node:test. */
const config: { test: { include: string[] } } = { test: { include: ["*.vitest.ts"] } };
export default config;

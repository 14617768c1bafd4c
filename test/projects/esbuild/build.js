import assert from "node:assert/strict";
import { build } from "esbuild";

const common = { entryPoints: ["shop.js"], bundle: true, platform: "node", target: "node20" };
await build({ ...common, format: "esm", outfile: "out/esm.mjs", minify: true });
await build({ ...common, format: "cjs", outfile: "out/cjs.cjs", minify: true });

// Two bundles contain two copies of memwire. The one that is called first makes the client for both.
const bundles = [await import("./out/esm.mjs"), (await import("./out/cjs.cjs")).default];
assert.notEqual(bundles[0].Memcached, bundles[1].Memcached);
for (const [first, second] of [bundles, bundles.toReversed()]) {
  const id = await first.visit();
  assert.deepEqual(await second.visit(id), id);
  assert.equal(await first.visits(id), 2);
  await first.close();
}
for (const { subPaths } of bundles) assert.ok(subPaths.every((names) => names.length > 0));

/**
 * Runs memwire in Cloudflare's runtime, by miniflare, with the built package and a real server.
 *
 *     npm ci --prefix test/workerd && npm run build && node test/workerd/run.ts        Node 24
 */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { startMemcached } from "../support/memcached.ts";
import { startScriptedServer } from "../support/scripted_server.ts";

/** The part of miniflare that is used here. It is not installed when types are checked. */
interface Miniflare {
  dispatchFetch(
    url: string,
  ): Promise<{ status: number; text(): Promise<string> }>;
  dispose(): Promise<void>;
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const { Miniflare } = createRequire(import.meta.url)("miniflare") as {
  Miniflare: new (options: object) => Miniflare;
};

await using server = await startMemcached();
await using silent = await startScriptedServer(async (peer) => {
  for (;;) await peer.next();
});
// workerd brings more of Node's modules with each date. The first one brings the least with which it works.
for (const compatibilityDate of ["2024-09-23", "2026-07-01"]) {
  const worker = new Miniflare({
    modules: true,
    modulesRoot: here("../.."),
    modulesRules: [{ type: "ESModule", include: ["**/*.js"] }],
    scriptPath: here("worker.js"),
    compatibilityDate,
    compatibilityFlags: ["nodejs_compat"],
    bindings: { SERVER: server.address, SILENT: silent.address },
  });
  try {
    await check(worker);
  } finally {
    await worker.dispose();
  }
}
console.log("workerd: all well");

async function ask(worker: Miniflare, path: string): Promise<unknown> {
  const response = await worker.dispatchFetch(`http://worker${path}`);
  const said = await response.text();
  assert.equal(response.status, 200, said);
  return JSON.parse(said);
}

async function check(worker: Miniflare): Promise<void> {
  for (const protocol of ["auto", "meta", "classic"]) {
    const how = `protocol=${protocol}`;
    for (const size of [0, 10, 4_000, 16_380, 70_000, 900_000]) {
      assert.deepEqual(
        await ask(worker, `/values?size=${size}&${how}`),
        { same: true },
        `${size}, ${how}`,
      );
    }
    assert.deepEqual(await ask(worker, `/many?${how}`), {
      found: 500,
      right: true,
    });
    assert.deepEqual(await ask(worker, `/update?${how}`), { n: 1 });
    assert.deepEqual(await ask(worker, `/session?${how}`), {
      stored: "stored",
      name: "Ada",
    });
  }
  const together = Array.from(
    { length: 20 },
    (_, i) => ask(worker, `/values?size=${i * 1_000}`),
  );
  for (const said of await Promise.all(together)) {
    assert.deepEqual(said, { same: true });
  }
  const late = await ask(worker, "/silent") as { code: string; ms: number };
  assert.equal(late.code, "TIMEOUT");
  assert.ok(late.ms >= 280 && late.ms < 2_000, `${late.ms} ms`);
  // As README says, a client at the top of a worker works only for the first request: workerd ends the
  // second one, which waits for the first one's socket.
  assert.deepEqual(await ask(worker, "/shared"), { code: "none" });
  await assert.rejects(ask(worker, "/shared"), /hung/);
  assert.deepEqual(await ask(worker, "/values?size=10"), { same: true });
}

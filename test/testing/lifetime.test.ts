/** How a server affects its process, and how a test framework affects the server. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { Memcached } from "../../mod.ts";
import { MemcachedServer } from "../../src/testing/mod.ts";
import { ended, runModule } from "./command.ts";
import { Control } from "./support.ts";

describe("a server that nobody stops", () => {
  const file = fileURLToPath(new URL("forgotten.ts", import.meta.url));
  it("does not keep the process alive", { timeout: 30_000 }, async () => {
    const out = "TIMEOUT\n";
    assert.deepEqual(await ended(runModule(file, "forgets")), { code: 0, out, err: "" });
  });

  it("answers a client that keeps the process alive", { timeout: 30_000 }, async () => {
    assert.deepEqual(await ended(runModule(file, "waits")), { code: 0, out: "1\n", err: "" });
  });
});

/** Replaces the global clocks and timers by ones that stand still, as Jest and Vitest do. */
function fakeTimers(t: TestContext, now: number): { advance(ms: number): void } {
  const doNothing = (): void => {};
  const fakes: [object, string, unknown][] = [
    [globalThis, "queueMicrotask", doNothing],
    ...["set", "clear"].flatMap((verb) =>
      ["Timeout", "Interval", "Immediate"].map((what): [object, string, unknown] => {
        return [globalThis, verb + what, doNothing];
      })
    ),
    [performance, "now", () => 0],
    [Date, "now", () => now],
  ];
  for (const [target, name, fake] of fakes) {
    const real: unknown = Reflect.get(target, name);
    Object.assign(target, { [name]: fake });
    t.after(() => Object.assign(target, { [name]: real }));
  }
  return { advance: (ms) => now += ms };
}

it("a server works under fake timers, and its clock is the fake one", async (t) => {
  const fake = fakeTimers(t, Date.now());
  const server = await MemcachedServer.start();
  // This runs after the real timers are back, because Bun's sockets need the global setImmediate to close.
  t.after(() => server.stop());
  const client = new Memcached(server.address, { timeout: 10_000 });
  t.after(() => client.close());
  await client.set("session", "x", { ttl: 60 });
  fake.advance(59_000);
  assert.equal(await client.get("session"), "x");
  fake.advance(2_000);
  assert.equal(await client.get("session"), undefined);

  // Faults take real time, and so do the client's deadlines.
  server.slow({ latency: 10 });
  await client.set("a", 1);
  server.slow(null);
  server.stall(20);
  assert.equal(await client.get("a"), 1);
  const keys = Array.from({ length: 50_000 }, (_, index) => `key-${index}`);
  assert.equal((await client.getMany(keys.slice(0, 5000))).size, 0, "long work goes on");
  const control = await Control.open(server.address);
  t.after(() => control.close());
  assert.equal(await control.ask(`get ${keys.join(" ")}`), "END\r\n");
});

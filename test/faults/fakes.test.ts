/**
 * Test frameworks replace timers, microtasks and clocks by stand-ins that do nothing until they are told to.
 * Calls must go on, and deadlines and close() must work.
 */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import timers from "node:timers";
import { Memcached, TimeoutError } from "../../mod.ts";
import { startMany } from "../support/memcached.ts";
import { startScriptedServer } from "../support/scripted_server.ts";
import { outcome } from "./rig.ts";
import { PATIENT } from "../support/patient.ts";

const NAMES = [
  "setTimeout",
  "clearTimeout",
  "setInterval",
  "clearInterval",
  "setImmediate",
  "clearImmediate",
] as const;

/** Replaces everything that Jest and sinon replace by stand-ins, all together or one by one. */
const FAKES: Readonly<Record<string, () => () => void>> = {
  queueMicrotask: () => replace(globalThis, "queueMicrotask"),
  "the globals' timers": () => all(NAMES.map((name) => replace(globalThis, name))),
  "node:timers": () => all(NAMES.map((name) => replace(timers, name))),
  nextTick: () => replace(process, "nextTick"),
  "performance.now": () => replace(performance, "now", () => 0),
  "Date.now": () => replace(Date, "now", () => 0),
  "a clock that runs ahead": () => replace(performance, "now", () => 1e12),
};

function replace(
  target: object,
  name: string,
  fake: (...args: never[]) => unknown = () => undefined,
): () => void {
  const own = Object.getOwnPropertyDescriptor(target, name);
  Object.defineProperty(target, name, { value: fake, configurable: true, writable: true });
  return () => {
    if (own === undefined) delete (target as Record<string, unknown>)[name];
    else Object.defineProperty(target, name, own);
  };
}

function all(undo: readonly (() => void)[]): () => void {
  return () => undo.forEach((one) => one());
}

/** Runs something with stand-ins, and removes them before the test goes on. */
async function withFakes<T>(fake: () => () => void, run: () => Promise<T>): Promise<T> {
  const undo = fake();
  try {
    return await run();
  } finally {
    undo();
  }
}

for (const [name, fake] of Object.entries(FAKES)) {
  for (const count of [1, 3]) {
    test(`${name}: calls to ${count} servers and close() go on`, async (t) => {
      const servers = await startMany(count);
      t.after(() => Promise.all(servers.map((server) => server.stop())));
      const addresses = servers.map((server) => server.address);
      const client = new Memcached(addresses, { timeout: 5_000 });
      const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
      await client.setMany(keys.map((key) => [key, key]));
      // The runtimes' own sockets need nextTick to open and close.
      const warm = name === "nextTick";
      await withFakes(fake, async () => {
        await client.set("k", "v");
        assert.equal(await client.get("k"), "v");
        assert.equal((await client.getMany(keys)).size, keys.length);
        assert.equal(await client.update("k", (value) => `${value}!`), "v!");
        assert.equal(await client.increment("n", 1, { initial: 5 }), 5n);
        if (warm) return;
        const other = new Memcached(addresses, PATIENT);
        assert.equal(await other.get("k"), "v!");
        await other.close();
        await client.close();
      });
      await client.close();
    });
  }

  test(`${name}: a deadline holds`, async () => {
    await using server = await startScriptedServer(async (peer) => {
      for (;;) await peer.next();
    });
    await using client = new Memcached(server.address, { timeout: 60_000 });
    await outcome(client.get("warm", { timeout: 20 }));
    const start = process.hrtime.bigint();
    const { error } = await withFakes(fake, () => outcome(client.get("k", { timeout: 100 })));
    assert.ok(error instanceof TimeoutError, String(error));
    const ms = Number((process.hrtime.bigint() - start) / 1_000_000n);
    assert.ok(ms >= 95 && ms < 3_000, `${ms} ms`);
  });
}

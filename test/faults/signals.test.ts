/** Signals: when a call has ended, however it ended, no listener stays on its signal. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type CallOptions, Memcached } from "../../mod.ts";
import { MemcachedServer } from "../../src/testing/mod.ts";
import { runInChild } from "../support/child.ts";
import { borrowMemcached } from "../support/memcached.ts";
import { outcome } from "./rig.ts";

const EXIT_SCRIPT = new URL("./abort_exit_script.ts", import.meta.url);

/** Counts the listeners that a signal has. */
function counted(signal: AbortSignal): () => number {
  let listeners = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>): void => {
    listeners++;
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>): void => {
    listeners--;
    removeEventListener.apply(signal, args);
  };
  return () => listeners;
}

const CALLS: Readonly<Record<string, (m: Memcached, options: CallOptions) => Promise<unknown>>> = {
  get: (m, options) => m.get("k", options),
  "several gets": (m, options) => Promise.all(["a", "b", "c"].map((key) => m.get(key, options))),
  set: (m, options) => m.set("k", "v", options),
  getMany: (m, options) => m.getMany(["a", "b"], options),
  setMany: (m, options) => m.setMany([["a", 1], ["b", 2]], options),
  deleteMany: (m, options) => m.deleteMany(["a", "b"], options),
  update: (m, options) => m.update("u", async () => await Promise.resolve("v"), options),
  increment: (m, options) => m.increment("n", 1, { ...options, initial: 1 }),
  version: (m, options) => m.version(options),
  stats: (m, options) => m.stats(undefined, options),
  flushAll: (m, options) => m.flushAll({ ...options, delay: 1_000_000 }),
};

test("a call that succeeds leaves no listener", async (t) => {
  const servers = await borrowMemcached();
  t.after(() => servers.stop());
  await using client = new Memcached(servers.addresses as string[], { timeout: 20_000 });
  for (const [name, call] of Object.entries(CALLS)) {
    const { signal } = new AbortController();
    const listeners = counted(signal);
    const running = call(client, { signal });
    assert.ok(name === "update" || listeners() >= 1, `${name} listens`);
    await running;
    assert.equal(listeners(), 0, name);
  }
  const { signal } = new AbortController();
  const listeners = counted(signal);
  const calls = Array.from({ length: 100 }, (_, i) => client.get(`k${i}`, { signal }));
  assert.equal(listeners(), 1, "one listener for all, or Node 20 warns of a leak");
  await Promise.all(calls);
  assert.equal(listeners(), 0);
});

test("a call that fails or is aborted leaves no listener", async () => {
  await using server = await MemcachedServer.start();
  await using client = new Memcached(server.address, { timeout: 60_000 });
  await client.get("k");
  server.stall(Infinity);
  for (const [name, call] of Object.entries(CALLS)) {
    if (name === "stats" || name === "flushAll") continue; // each uses a connection of its own
    const controller = new AbortController();
    const listeners = counted(controller.signal);
    await outcome(call(client, { signal: controller.signal, timeout: 20 }));
    assert.equal(listeners(), 0, `${name}, timed out`);
    const running = outcome(call(client, { signal: controller.signal }));
    controller.abort();
    assert.equal((await running).error?.name, "AbortError");
    assert.equal(listeners(), 0, `${name}, aborted`);
  }
});

test("a process whose calls have signals that would abort later ends when the client is closed", async (t) => {
  const servers = await borrowMemcached();
  t.after(() => servers.stop());
  const { code, stderr, ms } = await runInChild(EXIT_SCRIPT, {
    args: [servers.addresses[0] as string],
  });
  assert.equal(code, 0, stderr);
  assert.ok(ms < 20_000, `${ms} ms`);
});

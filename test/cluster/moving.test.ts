/** With `failover: "rehash"` calls that were not sent yet move to another server if theirs turns out to be down. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ConnectionLostError, Memcached, PartialError, ServerDownError } from "../../mod.ts";
import { behave, DIALECTS, outcome, PATIENT, valueOf } from "../faults/rig.ts";
import { freePort, type MemcachedServer, startMany } from "../support/memcached.ts";
import { startScriptedServer } from "../support/scripted_server.ts";
import { until } from "../support/until.ts";

const KEYS = Array.from({ length: 60 }, (_, i) => `key-${i}`);
const REHASH = { ...PATIENT, failover: "rehash" } as const;

/** Three servers, of which the last is dead from the start. */
async function withDead(
  run: (client: Memcached, dead: MemcachedServer) => Promise<void>,
  failover: "rehash" | "none" = "rehash",
): Promise<void> {
  const servers = await startMany(3);
  try {
    const [, , dead] = servers as [MemcachedServer, MemcachedServer, MemcachedServer];
    await dead.kill();
    for (const protocol of DIALECTS) {
      const addresses = servers.map((server) => server.address);
      await using client = new Memcached(addresses, { ...REHASH, protocol, failover });
      await run(client, dead);
      await Promise.all(servers.slice(0, 2).map((server) => server.ask("flush_all")));
    }
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

describe("a server that turns out to be down", () => {
  test("single calls that wait for it move on", () =>
    withDead(async (client, dead) => {
      assert.ok(KEYS.some((key) => client.serverFor(key).address === dead.address));
      await Promise.all(KEYS.map((key) => client.set(key, key)));
      assert.deepEqual(await Promise.all(KEYS.map((key) => client.get(key))), KEYS);
    }));

  test("calls for many keys too, setMany first", () =>
    withDead(async (client) => {
      await client.setMany(KEYS.map((key) => [key, key]));
      assert.equal((await client.getMany(KEYS)).size, KEYS.length);
    }));

  test("getMany first", () =>
    withDead(async (client) => {
      assert.equal((await client.getMany(KEYS)).size, 0);
      await client.setMany(KEYS.map((key) => [key, key]));
      assert.deepEqual(await client.getMany(KEYS), new Map(KEYS.map((key) => [key, key])));
    }));

  test("deleteMany first", () =>
    withDead(async (client) => {
      const deleted = await client.deleteMany(KEYS);
      assert.deepEqual(deleted, new Map(KEYS.map((key) => [key, false])));
    }));

  test("portions of a call that come after the news", () =>
    withDead(async (client) => {
      const many = Array.from({ length: 5_000 }, (_, i) => `many-${i}`);
      await client.setMany(many.map((key) => [key, "v".repeat(1_000)]));
      assert.equal((await client.getMany(many)).size, many.length);
    }));

  test("calls to a server, not for a key, do not move", () =>
    withDead(async (client, dead) => {
      const { error } = await outcome(client.version());
      assert.ok(error instanceof PartialError, String(error));
      assert.equal(error.results.size, 2);
      assert.deepEqual([...error.errors.keys()], [dead.address]);
      assert.ok(error.errors.get(dead.address) instanceof ServerDownError);
    }));

  test("nothing moves without failover", () =>
    withDead(async (client, dead) => {
      const { error } = await outcome(client.getMany(KEYS));
      assert.ok(error instanceof PartialError);
      for (const [key, each] of error.errors) {
        assert.equal(client.serverFor(key).address, dead.address);
        assert.ok(each instanceof ServerDownError);
      }
      const lost = KEYS.filter((key) => client.serverFor(key).address === dead.address);
      assert.equal(error.errors.size, lost.length);
    }, "none"));

  test("all of them down: ServerDownError of the key's own server", async () => {
    const servers = await Promise.all([freePort(), freePort(), freePort()]);
    const addresses = servers.map((port) => `127.0.0.1:${port}`);
    await using client = new Memcached(addresses, REHASH);
    for (let round = 0; round < 3; round++) {
      for (const key of KEYS.slice(0, 10)) {
        const { error } = await outcome(client.get(key));
        assert.ok(error instanceof ServerDownError, String(error));
      }
      const { error } = await outcome(client.getMany(KEYS));
      assert.ok(error instanceof PartialError && error.errors.size === KEYS.length);
    }
  });
});

describe("a server that goes silent", () => {
  test("calls that may be repeated move, the outcome of the others is unknown", async () => {
    await using silent = await startScriptedServer(async (peer) => {
      for (;;) await peer.next();
    });
    await using live = await startScriptedServer(behave);
    await using client = new Memcached([silent.address, live.address], {
      failover: "rehash",
      timeout: 200,
      connectTimeout: 10_000,
    });
    const keys = KEYS.filter((key) => client.serverFor(key).address === silent.address);
    const patient = { timeout: 20_000 };
    const get = outcome(client.get(keys[0] as string, patient));
    const getMany = outcome(client.getMany(keys.slice(0, 5), patient));
    const set = outcome(client.set(keys[1] as string, "v", patient));
    await Promise.all([1, 2, 3].map(() => outcome(client.get(keys[2] as string))));
    assert.equal((await get).value, valueOf(keys[0] as string));
    assert.deepEqual(
      (await getMany).value,
      new Map(keys.slice(0, 5).map((key) => [key, valueOf(key)])),
    );
    const { error } = await set;
    assert.ok(error instanceof ConnectionLostError && error.ambiguous, String(error));
    assert.equal(await client.get(keys[3] as string, patient), valueOf(keys[3] as string));
  });
});

describe("a server that comes back", () => {
  test("has its keys again, and only its own", async () => {
    const servers = await startMany(2);
    try {
      const [a, b] = servers as [MemcachedServer, MemcachedServer];
      await using client = new Memcached([a.address, b.address], REHASH);
      const own = KEYS.filter((key) => client.serverFor(key).address === b.address);
      await client.setMany(KEYS.map((key) => [key, "old"]));
      await b.kill();
      await until(async () =>
        (await outcome(client.set(own[0] as string, "new"))).error === undefined
      );
      assert.equal(await client.get(own[0] as string), "new");
      await b.restart();
      await until(async () => (await client.get(own[0] as string)) === undefined, 10_000);
      await sleep(20);
      for (const key of KEYS) {
        assert.equal(await client.get(key), own.includes(key) ? undefined : "old", key);
      }
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
    }
  });
});

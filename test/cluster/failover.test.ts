/** Where the keys of a down server go: with failover by the preset's order, without it to a typed error. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Memcached, type MemcachedError, PartialError, ServerDownError } from "../../mod.ts";
import { presets } from "../../src/hashing/presets.ts";
import { type MemcachedServer, startMemcached } from "../support/memcached.ts";
import { until } from "../support/until.ts";

const KEYS = Array.from({ length: 60 }, (_, i) => `key-${i}`);

async function three(): Promise<[MemcachedServer, MemcachedServer, MemcachedServer]> {
  return await Promise.all([startMemcached(), startMemcached(), startMemcached()]);
}

async function untilDown(client: Memcached, server: MemcachedServer): Promise<void> {
  const key = KEYS.find((key) => client.serverFor(key).address === server.address) as string;
  await until(async () => {
    const error = await client.get(key).catch((error: unknown) => error);
    return error instanceof ServerDownError || error === undefined;
  });
}

test("without failover a down server's keys fail, and serverFor does not move", async (t) => {
  const servers = await three();
  t.after(() => Promise.all(servers.map((server) => server.stop())));
  const client = new Memcached(servers.map((server) => server.address));
  t.after(() => client.close());
  const before = KEYS.map((key) => client.serverFor(key).address);
  await client.setMany(KEYS.map((key) => [key, key] as const));
  await servers[1].kill();
  await untilDown(client, servers[1]);
  assert.deepEqual(KEYS.map((key) => client.serverFor(key).address), before);
  for (const [i, key] of KEYS.entries()) {
    if (before[i] === servers[1].address) await assert.rejects(client.get(key), ServerDownError);
    else assert.equal(await client.get(key), key);
  }
});

test("a call for many keys rejects with what the live servers hold, and why the rest failed", async (t) => {
  const servers = await three();
  t.after(() => Promise.all(servers.map((server) => server.stop())));
  const client = new Memcached(servers.map((server) => server.address), { prefix: "p:" });
  t.after(() => client.close());
  await client.setMany(KEYS.map((key) => [key, key] as const));
  await servers[0].kill();
  const down = KEYS.filter((key) => client.serverFor(key).address === servers[0].address);
  const live = KEYS.filter((key) => !down.includes(key));
  assert.ok(down.length > 0 && live.length > 0);
  await until(async () =>
    (await client.get(down[0] as string).catch((error: unknown) => error)) instanceof
      ServerDownError
  );

  const found = await client.getMany([...KEYS, "absent-1"]).catch((error: unknown) => error);
  assert.ok(found instanceof PartialError, String(found));
  assert.deepEqual([...found.results.keys()].sort(), [...live].sort());
  for (const key of live) assert.equal(found.results.get(key), key);
  for (const key of down) assert.ok(found.errors.get(key) instanceof ServerDownError);
  assert.equal(found.errors.get(down[0] as string)?.server?.address, servers[0].address);
  // It shows no key when it is logged or serialized.
  assert.doesNotMatch(JSON.stringify(found) + String(found) + found.stack, /key-\d/);

  const stored = await client.setMany(KEYS.map((key) => [key, "new"] as const))
    .catch((error: unknown) => error);
  assert.ok(stored instanceof PartialError);
  assert.deepEqual([...stored.errors.keys()].sort(), [...down].sort());
  const deleted = await client.deleteMany(KEYS).catch((error: unknown) => error);
  assert.ok(deleted instanceof PartialError);
  assert.deepEqual([...deleted.results.values()], live.map(() => true));
  const versions = await client.version().catch((error: unknown) => error);
  assert.ok(versions instanceof PartialError);
  assert.equal(versions.results.size, 2);
  const [error] = versions.errors.values() as Iterable<MemcachedError>;
  assert.ok(error instanceof ServerDownError);
});

for (const hashing of ["ketama", "python-memcached", "rendezvous", "dalli"] as const) {
  test(`with failover a down server's keys go where ${hashing} says`, async (t) => {
    const servers = await three();
    t.after(() => Promise.all(servers.map((server) => server.stop())));
    const addresses = servers.map((server) => server.address);
    const client = new Memcached(addresses, { hashing, failover: "rehash" });
    t.after(() => client.close());
    await client.getMany(KEYS);
    await servers[2].kill();
    const { hashing: make, idOf } = presets[hashing];
    const selector = make(
      servers.map(({ host, port }) => ({ id: idOf({ kind: "tcp", host, port }), weight: 1 })),
    );
    await until(async () => await client.set("key-0", 1).then(() => true, () => false));
    await until(async () => {
      const sets = await Promise.allSettled(KEYS.map((key) => client.set(key, key)));
      return sets.every(({ status }) => status === "fulfilled");
    });
    let moved = 0;
    for (const key of KEYS) {
      const order = [...selector.order(key)];
      if (order[0] === 2) moved++;
      const expected = servers[order.find((index) => index !== 2) as number] as MemcachedServer;
      assert.match(await expected.ask(`get ${key}`), new RegExp(`VALUE ${key} `));
    }
    assert.ok(moved > 0);
    assert.equal((await client.getMany(KEYS)).size, KEYS.length);
  });
}

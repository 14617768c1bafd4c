// Stores values with a ttl, waits, and checks that they are gone when they should be; both dialects at once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Memcached } from "../../mod.ts";
import { startMany } from "../support/memcached.ts";

/** Ways to store a value so that it is gone in a second or two. */
const BRIEF: Readonly<Record<string, (client: Memcached, key: string) => Promise<unknown>>> = {
  set: (client, key) => client.set(key, 1, { ttl: 1 }),
  "set of a fraction": (client, key) => client.set(key, 1, { ttl: 0.005 }),
  setMany: (client, key) => client.setMany([[key, 1]], { ttl: 1 }),
  add: (client, key) => client.add(key, 1, { ttl: 1 }),
  increment: (client, key) => client.increment(key, 1, { initial: 5, ttl: 1 }),
  update: (client, key) => client.update(key, () => 1, { ttl: 1 }),
  replace: async (client, key) => {
    await client.set(key, 1);
    return client.replace(key, 2, { ttl: 1 });
  },
  cas: async (client, key) => {
    await client.set(key, 1);
    return client.cas(key, 2, (await client.getItem(key))?.cas ?? 0n, { ttl: 1 });
  },
  touch: async (client, key) => {
    await client.set(key, 1, { ttl: 1000 });
    return client.touch(key, 1);
  },
  getAndTouch: async (client, key) => {
    await client.set(key, 1);
    return client.getAndTouch(key, 1);
  },
  getItem: async (client, key) => {
    await client.set(key, 1);
    return client.getItem(key, { touch: 1 });
  },
  append: async (client, key) => {
    await client.set(key, "1", { ttl: 1 });
    return client.append(key, "2");
  },
  "increment of an existing value": async (client, key) => {
    await client.set(key, 1, { ttl: 1 });
    return client.increment(key, 1, { initial: 1, ttl: 1000 });
  },
};

/** Ways to store a value so that it is still there. */
const LASTING: typeof BRIEF = {
  set: (client, key) => client.set(key, 1),
  "set of 31 days": (client, key) => client.set(key, 1, { ttl: 31 * 86_400 }),
  touch: async (client, key) => {
    await client.set(key, 1, { ttl: 1 });
    return client.touch(key, 0);
  },
  "touch of 31 days": async (client, key) => {
    await client.set(key, 1, { ttl: 2 });
    return client.touch(key, 31 * 86_400);
  },
  getAndTouch: async (client, key) => {
    await client.set(key, 1, { ttl: 2 });
    return client.getAndTouch(key, Infinity);
  },
  update: async (client, key) => {
    await client.set(key, 1, { ttl: 2 });
    return client.update(key, () => 2);
  },
};

async function checkExpiry(client: Memcached): Promise<void> {
  const brief = Object.keys(BRIEF).map((name) => `brief:${name.replaceAll(" ", "-")}`);
  const lasting = Object.keys(LASTING).map((name) => `lasting:${name.replaceAll(" ", "-")}`);
  const stored = await Promise.all([
    ...Object.values(BRIEF).map((store, i) => store(client, brief[i] as string)),
    ...Object.values(LASTING).map((store, i) => store(client, lasting[i] as string)),
  ]);
  assert.ok(!stored.includes(false));
  // The server's clock counts whole seconds, so a ttl of 1 is over after one or two.
  await sleep(2_200);
  const found = await client.getMany([...brief, ...lasting]);
  assert.deepEqual([...found.keys()], lasting);
  assert.equal(await client.has(brief[0] as string), false);
  assert.equal(await client.add(brief[0] as string, "again"), true);
}

async function checkDelayedFlush(client: Memcached): Promise<void> {
  await client.set("k", 1);
  await client.flushAll({ delay: 2 });
  assert.equal(await client.get("k"), 1, "not yet");
  await sleep(2_200);
  assert.equal(await client.get("k"), undefined);
}

test("values stored for a second are gone, others are not; flushAll may have a delay", async (t) => {
  const servers = await startMany(4);
  t.after(() => Promise.all(servers.map((server) => server.stop())));
  const clients = servers.map((server, i) =>
    new Memcached(server.address, { protocol: i % 2 ? "meta" : "classic", timeout: 10_000 })
  );
  t.after(() => Promise.all(clients.map((client) => client.close())));
  await Promise.all(
    clients.map((client, i) => i < 2 ? checkExpiry(client) : checkDelayedFlush(client)),
  );
});

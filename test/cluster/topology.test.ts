/** Changes of the list of servers, ids, and custom hashings. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Hashing, Memcached } from "../../mod.ts";
import { type MemcachedServer, startMemcached } from "../support/memcached.ts";
import { until } from "../support/until.ts";

async function connections(server: MemcachedServer): Promise<number> {
  const stats = await server.ask("stats");
  // The connection that asks counts too.
  return Number(/STAT curr_connections (\d+)/.exec(stats)?.[1]);
}

test("setServers drops no request in flight; those removed close, those kept keep their connection", async (t) => {
  const [a, b, c] = await Promise.all([startMemcached(), startMemcached(), startMemcached()]);
  const servers = [a, b, c];
  t.after(() => Promise.all(servers.map((server) => server.stop())));
  const idle = await Promise.all(servers.map(connections));
  const client = new Memcached([a.address, b.address]);
  t.after(() => client.close());
  const keys = Array.from({ length: 500 }, (_, i) => `key-${i}`);
  await client.setMany(keys.map((key) => [key, key] as const));
  const total = async (server: MemcachedServer): Promise<string | undefined> =>
    /STAT total_connections (\d+)/.exec(await server.ask("stats"))?.[1];
  const kept = Number(await total(a));

  const inFlight = keys.map((key) => client.get(key));
  client.setServers([a.address, c.address]);
  const found = await Promise.all(inFlight);
  assert.deepEqual(found, keys, "all of it was sent to the old list and answered");
  for (const key of keys) {
    const { address } = client.serverFor(key);
    assert.ok(address === a.address || address === c.address);
  }
  await until(async () => await connections(b) === idle[1]);
  await client.setMany(keys.map((key) => [key, "new"] as const));
  assert.equal((await client.getMany(keys)).size, keys.length);
  assert.equal(await connections(b), idle[1], "nothing went to the removed one");
  // Since then only the test's own questions have connected to the kept server.
  assert.equal(Number(await total(a)), kept + 1);
});

test("weights, removed and added servers, from the next call on", (t) => {
  const client = new Memcached("10.0.0.1,10.0.0.2");
  t.after(() => client.close());
  const count = (): number =>
    Array.from({ length: 1000 }, (_, i) => client.serverFor(`k${i}`).address)
      .filter((address) => address === "10.0.0.2:11211").length;
  const equal = count();
  client.setServers([["10.0.0.1", 1], ["10.0.0.2", 9]]);
  assert.ok(count() > equal * 1.4, `${equal} before, ${count()} with nine times the weight`);
  client.setServers("10.0.0.2");
  assert.equal(count(), 1000);
  assert.throws(() => client.setServers([]), { code: "ERR_INVALID_ARGUMENT" });
  assert.throws(() => client.setServers("a;b"), { code: "ERR_INVALID_ARGUMENT" });
  assert.equal(count(), 1000, "a refused list changes nothing");
});

test("a server's id is its name on the ring: its address can change without moving a key", (t) => {
  const list = (hosts: string[]): { host: string; id: string }[] =>
    hosts.map((host, i) => ({ host, id: `cache-${i}` }));
  const before = new Memcached(list(["10.0.0.1", "10.0.0.2", "10.0.0.3"]));
  const after = new Memcached(list(["10.9.9.1", "10.9.9.2", "10.9.9.3"]));
  t.after(() => Promise.all([before.close(), after.close()]));
  for (let i = 0; i < 200; i++) {
    assert.equal(before.serverFor(`k${i}`).id, after.serverFor(`k${i}`).id);
  }
  assert.deepEqual(after.serverFor("k1").address.startsWith("10.9.9."), true);
});

test("a custom hashing is called once for each list, with ids and weights", (t) => {
  const seen: unknown[] = [];
  const hashing: Hashing = (servers) => {
    seen.push(servers.map(({ id, weight }) => [id, weight]));
    return {
      pick: (key) => key.length % servers.length,
      *order(key): Iterable<number> {
        for (let i = 0; i < servers.length; i++) yield (key.length + i) % servers.length;
      },
    };
  };
  const client = new Memcached([["10.0.0.1", 2], { host: "10.0.0.2", id: "b" }], { hashing });
  t.after(() => client.close());
  assert.equal(client.serverFor("xx").id, "10.0.0.1:11211");
  assert.equal(client.serverFor("xxx").id, "b");
  client.setServers("10.0.0.3");
  assert.equal(client.serverFor("xxx").address, "10.0.0.3:11211");
  assert.deepEqual(seen, [[["10.0.0.1:11211", 2], ["b", 1]], [["10.0.0.3:11211", 1]]]);
});

test("an unknown hashing, a malformed server: a clear error from the constructor", () => {
  assert.throws(() => new Memcached("a", { hashing: "kettle" as "ketama" }), /ketama/);
  for (const name of ["constructor", "__proto__", "toString"]) {
    assert.throws(() => new Memcached("a", { hashing: name as "ketama" }), TypeError);
  }
  for (const spec of ["", "a;b", "host:0", "host:99999", "unix:", "[::1", "a:b:c"]) {
    assert.throws(() => new Memcached(spec), { code: "ERR_INVALID_ARGUMENT" }, spec);
  }
});

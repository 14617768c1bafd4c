// Servers by DNS: SRV targets go by name, plain names by address, and a failing name server changes nothing.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Memcached, type MemcachedOptions } from "../../mod.ts";
import { dns, type DnsOptions } from "../../src/discovery/mod.ts";
import { type DnsServer, startDns } from "../support/dns_server.ts";
import { until } from "../support/until.ts";
import { listen, replaceNode, startNode } from "./watching.ts";

const SERVICE = "_memcache._tcp.cache.fleet";
const KEYS = Array.from({ length: 200 }, (_, i) => `k${i}`);

async function nameServer(t: TestContext): Promise<DnsServer> {
  const server = await startDns();
  t.after(() => server.close());
  return server;
}

function connect(
  t: TestContext,
  server: DnsServer,
  name: string,
  options: DnsOptions = {},
  client: MemcachedOptions = {},
): Memcached {
  const discovery = dns(name, { nameservers: [server.address], interval: 0.05, ...options });
  const memcached = new Memcached(discovery, {
    timeout: 10_000,
    connectTimeout: 10_000,
    ...client,
  });
  t.after(() => memcached.close());
  return memcached;
}

/** Returns the server that each key belongs to. */
const places = (client: Memcached): string[] => KEYS.map((key) => client.serverFor(key).address);

test("SRV: targets are on the ring by name, whatever their order and addresses", async (t) => {
  const server = await nameServer(t);
  const [a, b] = await Promise.all([
    startNode("a.fleet", "127.0.0.1"),
    startNode("b.fleet", "127.0.0.2"),
  ]);
  t.after(() => Promise.all([a.server.stop(), b.server.stop()]));
  server.set(SERVICE, "SRV", [`b.fleet ${b.port}`, `a.fleet ${a.port}`, `a.fleet ${a.port}`]);
  server.set("a.fleet", "A", [a.ip]);
  server.set("b.fleet", "A", [b.ip]);
  const client = connect(t, server, SERVICE);
  await client.setMany(KEYS.map((key) => [key, key]));
  const before = places(client);
  assert.deepEqual([...new Set(before)].sort(), [`a.fleet:${a.port}`, `b.fleet:${b.port}`]);
  // The order of an answer changes all the time.
  server.set(SERVICE, "SRV", [`a.fleet ${a.port}`, `b.fleet ${b.port}`]);
  // Another machine takes over the name: no key moves, and the calls go to it.
  const other = await replaceNode(b, "127.0.0.3");
  t.after(() => other.server.stop());
  await b.server.stop();
  server.set("b.fleet", "A", [other.ip]);
  const moved = KEYS.find((key) => client.serverFor(key).address.startsWith("b.")) as string;
  await until(() => client.set(moved, "new").then(() => true, () => false));
  assert.ok(other.server.calls.some(({ key }) => key === moved));
  assert.deepEqual(places(client), before);
});

test("SRV: a target whose address cannot be looked up keeps the one it had", async (t) => {
  const server = await nameServer(t);
  const told = listen(t);
  const a = await startNode("a.fleet", "127.0.0.1");
  t.after(() => a.server.stop());
  server.set(SERVICE, "SRV", [`a.fleet ${a.port}`, `. 5`]);
  server.set("a.fleet", "A", [a.ip, "127.0.0.9"]);
  const client = connect(t, server, SERVICE);
  await client.set("k", 1);
  for (const failure of ["servfail", "nxdomain"] as const) {
    server.fail("a.fleet", failure);
    const { asked } = server;
    await until(() => server.asked > asked + 6);
    assert.equal(await client.get("k"), 1);
  }
  assert.equal(told.length, 1);
  // A target without any address: the system looks it up, and does not know it either.
  const fresh = connect(t, server, SERVICE);
  await assert.rejects(fresh.get("k"), { code: "SERVER_DOWN", message: /^a\.fleet:\d+ is down/ });
});

test("addresses: each is a server, and is on the ring as it is", async (t) => {
  const server = await nameServer(t);
  const told = listen(t);
  const a = await startNode("", "127.0.0.1");
  const b = await replaceNode(a, "127.0.0.2");
  t.after(() => Promise.all([a.server.stop(), b.server.stop()]));
  server.set("cache.fleet", "A", [b.ip, a.ip]);
  server.set("cache.fleet", "AAAA", ["::1"]);
  const client = connect(t, server, "cache.fleet", { port: a.port });
  await client.setMany(KEYS.map((key) => [key, key]));
  assert.deepEqual(
    told.map(({ servers }) => servers.map(({ address }) => address)),
    [[`${a.ip}:${a.port}`, `${b.ip}:${a.port}`]], // sorted, and not listed again by the other family
  );
  assert.equal((await client.getMany(KEYS)).size, KEYS.length);
  server.set("cache.fleet", "A", [a.ip]);
  await until(() => new Set(places(client)).size === 1);
  assert.equal(told.length, 2);
  // The A records are missing this time: the same servers must not come back under other names.
  server.set("cache.fleet", "A", []);
  await until(() => told.length > 2);
  assert.match(told[2]?.error?.message ?? "", /^cache\.fleet could not be looked up: /);
  assert.deepEqual([...new Set(places(client))], [`${a.ip}:${a.port}`]);
});

test("addresses: without A records AAAA is used, and stays in use", async (t) => {
  const server = await nameServer(t);
  server.set("six.fleet", "AAAA", ["::1", "fe80::1"]);
  const client = connect(t, server, "six.fleet", { port: 1 });
  await client.version().catch(() => undefined);
  assert.deepEqual([...new Set(places(client))].sort(), ["[::1]:1", "[fe80::1]:1"]);
  server.set("six.fleet", "A", ["127.0.0.1"]);
  const { asked } = server;
  await until(() => server.asked > asked + 3);
  assert.deepEqual([...new Set(places(client))].sort(), ["[::1]:1", "[fe80::1]:1"]);
});

test("an answer that fails, is empty or does not come leaves the list as it is, and is reported", async (t) => {
  const server = await nameServer(t);
  const told = listen(t);
  const a = await startNode("", "127.0.0.1");
  t.after(() => a.server.stop());
  server.set("cache.fleet", "A", [a.ip]);
  const client = connect(t, server, "cache.fleet", { port: a.port });
  await client.set("k", 1);
  const servers = [client.serverFor("k")];
  told.splice(0);
  for (const failure of ["servfail", "nxdomain", "silence", "garbage"] as const) {
    server.fail("cache.fleet", failure);
    await until(() => told.length > 0);
    for (const { servers: kept, error } of told.splice(0)) {
      assert.deepEqual(kept, servers);
      assert.equal(error?.code, "SERVER_DOWN");
      assert.match(error?.message ?? "", /^cache\.fleet could not be looked up: /);
    }
    assert.equal(await client.get("k"), 1);
    server.fail("cache.fleet", undefined);
    const { asked } = server;
    await until(() => server.asked > asked + 2);
    told.splice(0);
  }
  server.set("cache.fleet", "A", []);
  await until(() => told.some(({ error }) => error !== undefined));
  assert.equal(await client.get("k"), 1);
});

test("calls wait until there is an answer, and fail with the reason if none comes", async (t) => {
  const server = await nameServer(t);
  const client = connect(t, server, "cache.fleet", {}, { connectTimeout: 150 });
  await assert.rejects(client.get("k"), {
    code: "SERVER_DOWN",
    message: /no list of servers yet.*150 ms: cache\.fleet could not be looked up/,
  });
  server.fail("late.fleet", "silence");
  server.set("late.fleet", "A", ["127.0.0.1"]);
  const late = connect(t, server, "late.fleet", { port: 1 }, { connectTimeout: 100 });
  await assert.rejects(late.get("k"), { code: "SERVER_DOWN", message: /none within 100 ms$/ });
  // close() does not wait for the name server.
  const closing = performance.now();
  await late.close();
  assert.ok(performance.now() - closing < 1_000);
});

test("after close() nothing is asked", async (t) => {
  const server = await nameServer(t);
  server.set("cache.fleet", "A", ["127.0.0.1"]);
  const client = connect(t, server, "cache.fleet", { port: 1 });
  await client.get("k").catch(() => undefined);
  await client.close();
  await sleep(100);
  const { asked } = server;
  await sleep(200);
  assert.equal(server.asked, asked);
});

test("wrong arguments are refused", () => {
  const wrong = (name: unknown, options?: unknown): void =>
    assert.throws(() => dns(name as string, options as DnsOptions), {
      code: "ERR_INVALID_ARGUMENT",
    });
  for (const name of ["", "a b", "cache.fleet:11211", "127.0.0.1", "::1", 5, undefined, "a,b"]) {
    wrong(name);
  }
  for (const options of [{ port: 0 }, { srv: 1 }, { interval: -1 }, { interval: NaN }, { x: 1 }]) {
    wrong("cache.fleet", options);
  }
  wrong(SERVICE, { port: 11211 });
  for (const nameservers of [[], "127.0.0.1", ["name.server"], [5], ["127.0.0.1:x"], [""]]) {
    wrong("cache.fleet", { nameservers });
  }
  dns("cache.fleet", { nameservers: ["127.0.0.1", "::1", "[::1]:53", "10.0.0.1:5353"] });
});

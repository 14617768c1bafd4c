// ElastiCache's list of nodes: which lists are taken, which are refused and reported, and how calls wait for one.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Discovery, Memcached, type MemcachedOptions, SessionStore } from "../../mod.ts";
import { elasticache, type ElastiCacheOptions } from "../../src/discovery/mod.ts";
import { MemcachedServer } from "../../src/testing/mod.ts";
import { makeAuthority } from "../support/certificates.ts";
import { type ScriptedServer, startScriptedServer } from "../support/scripted_server.ts";
import { outcomeAtOnce } from "../faults/rig.ts";
import { until } from "../support/until.ts";
import { announce, type FleetNode, listen, startNode } from "./watching.ts";

const SOON = { interval: 0.05 };

function connect(
  t: TestContext,
  discovery: Discovery,
  options: MemcachedOptions = {},
): Memcached {
  const client = new Memcached(discovery, {
    timeout: 10_000,
    connectTimeout: 10_000,
    ...options,
  });
  t.after(() => client.close());
  return client;
}

async function nodes(t: TestContext, count: number): Promise<FleetNode[]> {
  const ips = Array.from({ length: count }, (_, i) => i);
  const started = await Promise.all(
    ips.map((i) => startNode(`node-${i}.fleet`, `127.0.0.${i + 1}`)),
  );
  t.after(() => Promise.all(started.map(({ server }) => server.stop())));
  return started;
}

/** An endpoint that answers each question with the current value of `answer`. */
async function endpoint(
  t: TestContext,
  answer: { text: string; asked?: string[] },
  version = "1.6.18",
): Promise<ScriptedServer> {
  const server = await startScriptedServer(async (peer) => {
    for (;;) {
      const { line } = await peer.next();
      answer.asked?.push(line);
      await peer.write(answer.text);
    }
  }, { version });
  t.after(() => server.stop());
  return server;
}

/** Whether a list was found. */
function isListed(client: Memcached): boolean {
  try {
    return client.serverFor("k") !== undefined;
  } catch {
    return false;
  }
}

function list(version: string | number, nodes: string): string {
  const block = `${version}\n${nodes}\n`;
  return `CONFIG cluster 0 ${block.length}\r\n${block}\r\nEND\r\n`;
}

const written = ({ host, ip, port }: FleetNode): string => `${host}|${ip}|${port}`;

describe("the first call finds the servers:", () => {
  const calls: Readonly<Record<string, (client: Memcached) => Promise<unknown>>> = {
    get: (client) => client.get("k"),
    set: (client) => client.set("k", { a: 1 }),
    getMany: (client) => client.getMany(["a", "b", "c", "d"]),
    setMany: (client) => client.setMany([["a", 1], ["b", 2], ["c", 3]]),
    update: (client) => client.update("k", () => 5),
    increment: (client) => client.increment("n", 1, { initial: 1 }),
    fetch: (client) => client.fetch("f", () => 5, { ttl: 60 }),
    fetchMany: (client) =>
      client.fetchMany(["f", "g"], (keys) => Promise.resolve(new Map(keys.map((k) => [k, 1]))), {
        ttl: 60,
      }),
    lock: (client) => client.lock("l", { ttl: 5 }),
    append: (client) => client.append("k", "x"),
    stats: (client) => client.stats(),
    version: (client) => client.version(),
    flushAll: (client) => client.flushAll(),
    invalidate: (client) => client.invalidate("k", { stale: 5 }),
    keys: async (client) => {
      for await (const _ of client.keys());
    },
  };
  for (const [name, call] of Object.entries(calls)) {
    test(name, async (t) => {
      const fleet = await nodes(t, 2);
      const { server } = fleet[0] as FleetNode;
      announce(server, 1, fleet);
      server.slow({ latency: 20 });
      const client = connect(t, elasticache(server.address));
      await call(client);
      assert.equal(server.calls.filter(({ command }) => command === "config").length, 1);
      assert.match(client.serverFor("k").address, /^node-\d\.fleet:\d+$/);
    });
  }
});

test("nodes are on the ring by their names, and connected to by their addresses", async (t) => {
  const fleet = await nodes(t, 3);
  const [first] = fleet as [FleetNode];
  announce(first.server, 1, fleet);
  const client = connect(t, elasticache(first.server.address));
  const plain = connect(t, { watch: () => ({ close(): void {} }) });
  assert.throws(() => plain.serverFor("k"), { code: "SERVER_DOWN" });
  await client.setMany(Array.from({ length: 300 }, (_, i) => [`k${i}`, i]));
  for (const { server } of fleet) {
    const stored = server.calls.filter(({ command }) => command === "set").length;
    assert.ok(stored > 30, `${stored} keys`);
  }
  const named = new Memcached(fleet.map(({ host, port }) => ({ host, port })));
  for (let i = 0; i < 300; i++) {
    assert.deepEqual(client.serverFor(`k${i}`), named.serverFor(`k${i}`));
  }
  await named.close();
});

test("calls made at once keep their order, and have their values as they were", async (t) => {
  const [node] = await nodes(t, 1) as [FleetNode];
  announce(node.server, 1, [node]);
  node.server.slow({ latency: 20 });
  const client = connect(t, elasticache(node.server.address));
  const bytes = new Uint8Array([1, 2]);
  const calls = [client.set("k", bytes), client.set("l", { a: 1 }), client.get("k")];
  bytes[0] = 9;
  const more = [client.set("k", 3), client.get("k"), client.get("l")];
  assert.deepEqual((await Promise.all(calls))[2], new Uint8Array([1, 2]));
  assert.deepEqual((await Promise.all(more)).slice(1), [3, { a: 1 }]);
});

describe("until there is a list", () => {
  test("calls wait for connectTimeout and no longer, then fail at once", async (t) => {
    const answer = { text: "" };
    const { address } = await endpoint(t, answer);
    const discovery = elasticache(address, { timeout: 20_000 });
    const client = connect(t, discovery, { connectTimeout: 500 });
    const begun = performance.now();
    const down = {
      name: "ServerDownError",
      code: "SERVER_DOWN",
      message: /no list of servers yet/,
    };
    await Promise.all([
      assert.rejects(client.get("k"), down),
      assert.rejects(client.getMany(["a", "b"]), down),
      assert.rejects(client.stats(), down),
      assert.rejects(client.set("k", 1), down),
    ]);
    const ms = performance.now() - begun;
    assert.ok(ms >= 499 && ms < 10_000, `${ms} ms`);
    const { error } = await outcomeAtOnce(client.get("k"));
    assert.equal((error as { code?: string }).code, "SERVER_DOWN");
    // fetch calls the loader when the cache cannot be used.
    assert.equal(await client.fetch("f", () => 5, { ttl: 60 }), 5);
  });

  test("as many calls and bytes wait as a connection may have, and no more", async (t) => {
    const { address } = await endpoint(t, { text: "" });
    const bounds = { connectTimeout: 400, maxPending: 10, maxPendingBytes: 100_000 };
    const options = { ...bounds, maxValueBytes: 40_000 };
    const codesOf = async (calls: readonly Promise<unknown>[]): Promise<string[]> =>
      await Promise.all(calls.map((call) => call.then(() => "", (error) => error.code as string)));
    const few = connect(t, elasticache(address, { timeout: 20_000 }), options);
    const many = Array.from({ length: 12 }, (_, i) => few.get(`k${i}`));
    assert.deepEqual((await codesOf(many)).sort(), [
      ...new Array(2).fill("OVERLOADED"),
      ...new Array(10).fill("SERVER_DOWN"),
    ]);
    const small = connect(t, elasticache(address, { timeout: 20_000 }), options);
    const large = Array.from({ length: 3 }, (_, i) => small.set(`k${i}`, "x".repeat(39_000)));
    assert.deepEqual(await codesOf(large), ["SERVER_DOWN", "SERVER_DOWN", "OVERLOADED"]);
  });

  test("a call's own deadline and signal count", async (t) => {
    const { address } = await endpoint(t, { text: "" });
    const client = connect(t, elasticache(address, { timeout: 20_000 }), { connectTimeout: 5000 });
    const controller = new AbortController();
    const aborted = client.get("k", { signal: controller.signal });
    const late = client.getMany(["a"], { timeout: 60 });
    const single = client.get("k", { timeout: 60 });
    controller.abort(new Error("enough"));
    await assert.rejects(aborted, { message: "enough" });
    await assert.rejects(late, { code: "TIMEOUT" });
    await assert.rejects(single, { code: "TIMEOUT" });
  });

  test("the list is soon asked for again, and the error holds the reason", async (t) => {
    const told = listen(t);
    const answer = { text: "ERROR\r\n" };
    const { address } = await endpoint(t, answer);
    const [node] = await nodes(t, 1) as [FleetNode];
    const client = connect(t, elasticache(address), { connectTimeout: 150 });
    await assert.rejects(client.get("k"), { message: /150 ms: .*not a configuration endpoint/ });
    assert.equal(told[0]?.error?.code, "UNSUPPORTED");
    assert.deepEqual(told[0]?.servers, []);
    answer.text = list(1, written(node));
    await until(() => client.get("k").then(() => true, () => false));
    assert.deepEqual(told.at(-1), { servers: [client.serverFor("k")] });
  });

  test("close() waits for calls that wait, and ends the search", async (t) => {
    const [node] = await nodes(t, 1) as [FleetNode];
    announce(node.server, 1, [node]);
    node.server.slow({ latency: 30 });
    const client = new Memcached(elasticache(node.server.address, SOON), { timeout: 5000 });
    const pending = [client.set("k", 1), client.getMany(["k"])];
    const closed = client.close();
    await assert.rejects(client.get("k"), { code: "CLOSED" });
    await assert.rejects(client.getMany(["k"]), { code: "CLOSED" });
    await Promise.all([...pending, closed]);
    const { length } = node.server.calls;
    await sleep(200);
    assert.equal(node.server.calls.length, length);
    // close() does not wait for a listing of keys, whether it has begun or not.
    node.server.stall(Infinity);
    const listing = new Memcached(elasticache(node.server.address), { connectTimeout: 5000 });
    const keys = listing.keys().next();
    await listing.close();
    await assert.rejects(keys, { code: "CLOSED" });
    node.server.stall(0);
    const unused = new Memcached(elasticache(node.server.address));
    await unused.close();
    await assert.rejects(unused.get("k"), { code: "CLOSED" });
  });
});

test("an answer that is empty, malformed, older or failed leaves the list as it is, and is reported", async (t) => {
  const told = listen(t);
  const [a, b] = await nodes(t, 2) as [FleetNode, FleetNode];
  const good = list(7, written(a));
  const answer = { text: good };
  const { address } = await endpoint(t, answer);
  const client = connect(t, elasticache(address, { ...SOON, timeout: 100 }));
  await client.set("k", 1);
  const servers = [client.serverFor("k")];
  assert.deepEqual(told.splice(0), [{ servers }]);
  const two = `${written(a)} ${written(b)}`;
  for (
    const [text, words] of [
      [list(8, ""), /malformed or empty/],
      [list("x", two), /malformed/],
      [list(8, "node-0.fleet|127.0.0.1"), /malformed/],
      [list(8, "node-0.fleet|127.0.0.1|0"), /malformed/],
      [list(8, "node-0.fleet|127.0.0.1|65536"), /malformed/],
      [list(8, "node-0.fleet|127.0.0.256|11211"), /malformed/],
      [list(8, "node 0|127.0.0.1|11211"), /malformed/],
      [list(8, `${two} |${a.port}`), /malformed/],
      [list(6, two), /version 6 of the list after version 7/],
      ["CONFIG cluster 0 5\r\n8\nab", /did not answer within 100 ms/],
      ["ERROR\r\n", /not a configuration endpoint/],
      ["END\r\n", /malformed or empty/],
      [`CONFIG cluster 0 9\r\n${"1\n".repeat(20)}`, /malformed/],
      [`CONFIG cluster 0 9\r\n1\n${"x".repeat(300_000)}`, /./],
    ] as const
  ) {
    answer.text = text;
    await until(() => told.length > 0 && words.test(told.at(-1)?.error?.message ?? ""));
    assert.deepEqual(told.splice(0).at(-1)?.servers, servers);
    assert.deepEqual([await client.get("k"), client.serverFor("k")], [1, servers[0]]);
  }
  // The same version with other nodes, which other services send, and a newer version.
  for (const [text, count] of [[list(7, two), 2], [list(8, written(b)), 1]] as const) {
    answer.text = text;
    await until(() => told.some((message) => message.servers.length === count && !message.error));
    told.splice(0);
  }
  assert.equal(client.serverFor("k").address, `${b.host}:${b.port}`);
  // The same list again is not reported.
  await sleep(200);
  assert.deepEqual(told.filter(({ error }) => error === undefined), []);
});

test("a list of 300 nodes is read; names may begin with a digit, addresses may be IPv6 or absent", async (t) => {
  const many = Array.from(
    { length: 300 },
    (_, i) =>
      `1${i}.a-rather-long-name-of-a-cache.0001.use1.cache.amazonaws.com|10.0.${i % 256}.1|11211`,
  );
  const answer = { text: list(1, `${many.join(" ")} six|::1|11211 bare||11212 |127.0.0.9|11213`) };
  const { address } = await endpoint(t, answer);
  const client = connect(t, elasticache(address, { timeout: 20_000 }), {
    connectTimeout: 5000,
    timeout: 500,
  });
  await until(() => client.get("k").then(() => true, () => isListed(client)));
  const versions = await client.version({ timeout: 500 }).catch((error) => error);
  assert.equal([...versions.errors.keys()].length, 303);
  assert.ok(
    versions.errors.has("1299.a-rather-long-name-of-a-cache.0001.use1.cache.amazonaws.com"),
  );
  assert.ok(versions.errors.has("bare:11212"));
  assert.ok(versions.errors.has("127.0.0.9:11213"));
});

test("before 1.4.14 the list is an item", async (t) => {
  const [node] = await nodes(t, 1) as [FleetNode];
  const block = `3\n${written(node)}\n`;
  const asked: string[] = [];
  const text = `VALUE AmazonElastiCache:cluster 0 ${block.length}\r\n${block}\r\nEND\r\n`;
  const { address } = await endpoint(t, { text, asked }, "1.4.5");
  const client = connect(t, elasticache(address));
  await client.set("k", 1);
  assert.deepEqual(asked, ["get AmazonElastiCache:cluster"]);
});

test("a known node answers when the endpoint is gone", async (t) => {
  const [a, b] = await nodes(t, 2) as [FleetNode, FleetNode];
  await using gone = await MemcachedServer.start();
  announce(gone, 1, [a]);
  const client = connect(t, elasticache(gone.address, SOON));
  await client.set("k", 1);
  announce(a.server, 2, [b]);
  await gone.refuse(true);
  await until(() => client.serverFor("k").address === `${b.host}:${b.port}`);
});

test("TLS and credentials: the endpoint's by its options, the nodes' by the client's", async (t) => {
  using authority = makeAuthority();
  const { cert, key } = authority.issue(["DNS:node.fleet", "IP:127.0.0.1"]);
  const auth = { username: "user", password: "word" };
  const files = { cert: readFileSync(cert), key: readFileSync(key) };
  await using server = await MemcachedServer.start({ tls: files, auth });
  const port = Number(server.address.split(":")[1]);
  // No loopback address has this name: the certificate is checked against the name, the connection uses the address.
  server.setCluster(1, [{ host: "node.fleet", ip: "127.0.0.1", port }]);
  const tls = { ca: readFileSync(authority.ca, "utf8") };
  const client = connect(t, elasticache(server.address, { tls, auth }), { tls, auth });
  await client.set("k", 1);
  assert.equal(client.serverFor("k").address, `node.fleet:${port}`);
  server.setCluster(1, [{ host: "other.fleet", ip: "127.0.0.1", port }]);
  const other = connect(t, elasticache(server.address, { tls, auth }), { tls, auth });
  await assert.rejects(other.get("k"), { message: /certificate is for another name/ });
});

test("a session store takes a Discovery, and closes it", async (t) => {
  const fleet = await nodes(t, 2);
  const { server } = fleet[0] as FleetNode;
  announce(server, 1, fleet);
  const store = new SessionStore<{ user: string }>({ servers: elasticache(server.address, SOON) });
  const session = await store.open();
  session.set("user", "ada");
  assert.equal(await store.storeSession(session), "stored");
  assert.equal((await store.open(session.id)).get("user"), "ada");
  await store.close();
  const { length } = server.calls;
  await sleep(150);
  assert.equal(server.calls.length, length);
});

test("setServers is refused, and one Discovery can serve several clients", async (t) => {
  const [node] = await nodes(t, 1) as [FleetNode];
  announce(node.server, 1, [node]);
  const discovery = elasticache(node.server.address);
  const [a, b] = [connect(t, discovery), connect(t, discovery)];
  assert.throws(() => a.setServers("127.0.0.1"), { code: "ERR_INVALID_ARGUMENT" });
  await a.set("k", 1);
  assert.equal(await b.get("k"), 1);
});

test("a custom Discovery: its errors are reported, and its lists are checked", async (t) => {
  const told = listen(t);
  const [node] = await nodes(t, 1) as [FleetNode];
  let give: (servers: string[]) => void = () => {};
  let closed = 0;
  const client = new Memcached({
    watch(onServers, onError): { close(): void } {
      give = onServers;
      onError(new Error("not yet"));
      onServers(["a:b:c d"]);
      onServers([node.server.address]);
      return { close: () => void closed++ };
    },
  });
  await client.set("k", 1);
  assert.match(told[0]?.error?.message ?? "", /^discovery failed: not yet$/);
  assert.match(told[1]?.error?.message ?? "", /malformed/);
  give([]);
  assert.match(told.at(-1)?.error?.message ?? "", /at least one server/);
  assert.equal(await client.get("k"), 1);
  await client.close();
  assert.equal(closed, 1);
  give(["127.0.0.1:1"]);
  const throwing = connect(t, {
    watch(): never {
      throw new TypeError("never");
    },
  }, { connectTimeout: 100 });
  await assert.rejects(throwing.get("k"), { code: "SERVER_DOWN", message: /never/ });
});

test("wrong arguments are refused", () => {
  const wrong = (make: () => unknown): void =>
    assert.throws(make, { code: "ERR_INVALID_ARGUMENT" });
  for (
    const options of [{ interval: 0 }, { interval: "5" }, { timeout: 0 }, { ttl: 5 }, { tls: 5 }]
  ) {
    wrong(() => elasticache("localhost", options as ElastiCacheOptions));
  }
  wrong(() => elasticache("a,b"));
  wrong(() => elasticache(""));
  wrong(() => elasticache("localhost", { auth: { username: "", password: "x" } }));
  wrong(() => new Memcached({ watch: 5 } as unknown as Discovery));
});

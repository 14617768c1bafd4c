// Several servers: where keys go, how a call ends if one of its servers cannot be asked, and setServers.
import assert from "node:assert/strict";
import { channel } from "node:diagnostics_channel";
import { after, before, describe, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  Memcached,
  PartialError,
  ServerDownError,
  type ServerRef,
  TimeoutError,
} from "../../mod.ts";
import { type MemcachedServer, startMany } from "../support/memcached.ts";
import { until } from "../support/until.ts";
import { outcomeAtOnce } from "../faults/rig.ts";

const KEYS = Array.from({ length: 200 }, (_, i) => `key:${i}`);

describe("several servers", () => {
  let servers: MemcachedServer[];
  const opened = new Map<string, number>();
  const closed = new Set<string>();
  const count = (message: unknown): void => {
    const { server, event } = message as { server: ServerRef; event: string };
    if (event === "open") opened.set(server.address, (opened.get(server.address) ?? 0) + 1);
    if (event === "close") closed.add(server.address);
  };

  before(async () => {
    servers = await startMany(3);
    channel("memwire:connection").subscribe(count);
  });
  after(async () => {
    channel("memwire:connection").unsubscribe(count);
    await Promise.all(servers.map((server) => server.stop()));
  });

  function connect(t: TestContext, of: readonly MemcachedServer[], timeout = 10_000): Memcached {
    const client = new Memcached(of.map((server) => server.address), { timeout });
    t.after(() => client.close());
    return client;
  }

  test("each key is where serverFor says, and calls for many reach them all", async (t) => {
    const client = connect(t, servers);
    await client.setMany(KEYS.map((key, i) => [key, i]));
    for (const server of servers) {
      const alone = connect(t, [server]);
      const own = KEYS.filter((key) => client.serverFor(key).address === server.address);
      assert.ok(own.length > 20);
      assert.deepEqual([...(await alone.getMany<number>(KEYS)).keys()].sort(), own.sort());
    }
    assert.deepEqual(await client.getMany(KEYS), new Map(KEYS.map((key, i) => [key, i])));
    for (const answer of [await client.version(), await client.stats()]) {
      assert.equal(answer.size, 3);
    }
    const stored: string[] = [];
    for await (const key of client.keys({ prefix: "key:" })) stored.push(key);
    assert.deepEqual(stored.sort(), [...KEYS].sort());
    const deleted = await client.deleteMany(KEYS);
    assert.ok(KEYS.every((key) => deleted.get(key)));
  });

  test("one server cannot be asked: PartialError, with the results of the others", async (t) => {
    const client = connect(t, servers, 1_000);
    await client.setMany(KEYS.map((key) => [key, 1]));
    const [dead] = servers as [MemcachedServer];
    const lost = KEYS.filter((key) => client.serverFor(key).address === dead.address);
    const rest = KEYS.filter((key) => !lost.includes(key));
    const checkPartial = async (call: Promise<unknown>, results: unknown): Promise<void> => {
      await assert.rejects(call, (error) => {
        assert.ok(error instanceof PartialError, String(error));
        assert.deepEqual([...error.errors.keys()].sort(), [...lost].sort());
        for (const reason of error.errors.values()) assert.ok(reason instanceof ServerDownError);
        if (results !== undefined) assert.deepEqual(error.results, results);
        assert.equal(error.server?.address, dead.address);
        assert.equal(error.ambiguous, false);
        return true;
      });
    };
    await dead.kill();
    try {
      await assert.rejects(client.get(lost[0] as string), ServerDownError);
      await checkPartial(client.getMany(KEYS), new Map(rest.map((key) => [key, 1])));
      await checkPartial(client.setMany(KEYS.map((key) => [key, 2])), undefined);
      assert.deepEqual(await client.getMany(rest), new Map(rest.map((key) => [key, 2])));
      await checkPartial(client.deleteMany(KEYS), new Map(rest.map((key) => [key, true])));
      const { id } = client.serverFor(lost[0] as string);
      const calls = [() => client.version(), () => client.stats(), () => client.flushAll()];
      for (const call of calls) {
        await assert.rejects(call, (error) => {
          assert.ok(error instanceof PartialError);
          assert.deepEqual([...error.errors.keys()], [id]);
          return error.results.size === 2;
        });
      }
    } finally {
      await dead.restart();
    }
  });

  test("setServers: works from the next call on, and a server that stays keeps its connection", async (t) => {
    // Servers of its own: a client of another test may still be finding out that its server is back.
    const [a, b, c] = await startMany(3) as [MemcachedServer, MemcachedServer, MemcachedServer];
    t.after(() => Promise.all([a, b, c].map((server) => server.stop())));
    const client = connect(t, [a, b]);
    await client.setMany(KEYS.map((key) => [key, 1]));
    opened.clear();
    client.setServers(`${b.address}, ${c.address}`);
    const places = new Set(KEYS.map((key) => client.serverFor(key).address));
    assert.deepEqual(places, new Set([b.address, c.address]));
    await client.setMany(KEYS.map((key) => [key, 2]));
    assert.deepEqual(await client.getMany(KEYS), new Map(KEYS.map((key) => [key, 2])));
    const own = [a, b, c].map(({ address }) => address);
    assert.deepEqual([...opened].filter(([address]) => own.includes(address)), [[c.address, 1]]);
    for (const wrong of ["", "a;b", []] as const) {
      assert.throws(() => client.setServers(wrong), { code: "ERR_INVALID_ARGUMENT" });
    }
    assert.deepEqual(
      [...(await client.version()).keys()].length,
      2,
      "a wrong list changes nothing",
    );
  });

  test("setServers: a removed server answers what is in flight, then its connection closes", async (t) => {
    const [a, b] = servers as [MemcachedServer, MemcachedServer];
    const client = new Memcached(a.address, { timeout: 10_000, maxPending: 50 });
    t.after(() => client.close());
    const value = "v".repeat(1_000);
    await client.set("k", value);
    closed.clear();
    const calls = Promise.all([
      client.get("k"),
      client.setMany(KEYS.map((key) => [key, value])),
    ]);
    client.setServers(b.address);
    const later = client.get("k");
    assert.deepEqual(await calls, [value, undefined]);
    assert.equal(await later, undefined, "a call that was made later went to the new one");
    const limit = Date.now() + 1_000;
    while (!closed.has(a.address) && Date.now() < limit) await sleep(5);
    assert.ok(closed.has(a.address));
    assert.equal((await connect(t, [a]).getMany(KEYS)).size, KEYS.length);
  });

  test("increments that time out count against a silent server, as any other call does", async (t) => {
    const [a] = servers as [MemcachedServer];
    const client = connect(t, [a], 60);
    await client.increment("n", 1, { initial: 1 });
    a.pause();
    t.after(() => a.resume());
    const calls = Array.from({ length: 3 }, () => client.increment("n"));
    for (const outcome of await Promise.allSettled(calls)) {
      assert.ok(outcome.status === "rejected" && outcome.reason instanceof TimeoutError);
    }
    // One timeout later the connection that replaced the silent one is silent too.
    await until(async () => await client.increment("n").catch((e) => e) instanceof ServerDownError);
    const { error } = await outcomeAtOnce(client.increment("n"));
    assert.ok(error instanceof ServerDownError, "it is known to be down");
  });
});

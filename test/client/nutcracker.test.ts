// Behind twemproxy (Debian's nutcracker), which closes the connection on commands that it does not know.
import assert from "node:assert/strict";
import { channel } from "node:diagnostics_channel";
import { after, before, describe, test } from "node:test";
import {
  Memcached,
  MemcachedError,
  PartialError,
  ServerError,
  type ServerRef,
  UnsupportedError,
} from "../../mod.ts";
import { type MemcachedServer, startMany, startMemcached } from "../support/memcached.ts";
import { type Nutcracker, startNutcracker } from "../support/nutcracker.ts";
import { until } from "../support/until.ts";
import { behaviours } from "./suite/behaviours.ts";
import { counting } from "./suite/counting.ts";
import { fetching } from "./suite/fetching.ts";
import { foreignValues } from "./suite/foreign_values.ts";
import { locking } from "./suite/locking.ts";
import { many } from "./suite/many.ts";
import { reading } from "./suite/reading.ts";
import type { Reached } from "./suite/stage.ts";
import { storing } from "./suite/storing.ts";
import { updating } from "./suite/updating.ts";
import { values } from "./suite/values.ts";

// The parts that it passes on. `auto` finds the dialect by itself.
behaviours(
  {
    name: "behind nutcracker",
    async open(): Promise<Reached> {
      const server = await startMemcached();
      const proxy = await startNutcracker([server]);
      const close = async (): Promise<void> => {
        await proxy.stop();
        await server.stop();
      };
      return { server, servers: proxy.address, options: {}, behind: server.address, close };
    },
  },
  ["auto", "classic"],
  [reading, storing, counting, many, values, foreignValues, updating, fetching, locking],
);

describe("behind nutcracker", () => {
  let servers: MemcachedServer[];
  let proxy: Nutcracker;
  let client: Memcached;
  const events: Array<{ event: string; dialect?: string; version?: string; error?: unknown }> = [];
  const failures: unknown[] = [];
  const hear = (message: unknown): void => {
    const { server, ...rest } = message as typeof events[number] & { server: ServerRef };
    if (server.address === proxy.address) events.push(rest);
  };
  const hearState = (message: unknown): void => {
    if ((message as { state: string }).state === "down") failures.push(message);
  };

  before(async () => {
    servers = await startMany(3);
    proxy = await startNutcracker(servers);
    channel("memwire:connection").subscribe(hear);
    channel("memwire:server").subscribe(hearState);
    client = new Memcached(proxy.address, { timeout: 10_000 });
  });
  after(async () => {
    channel("memwire:connection").unsubscribe(hear);
    channel("memwire:server").unsubscribe(hearState);
    await client.close();
    await proxy.stop();
    await Promise.all(servers.map((server) => server.stop()));
  });

  test("auto ends with classic by itself, without a failure, and remembers it", async () => {
    const calls = Array.from({ length: 50 }, (_, i) => client.set(`k${i}`, i));
    await Promise.all(calls);
    assert.deepEqual(failures, []);
    // The first connection asks for meta and is closed; the second knows.
    assert.deepEqual(events.map(({ event }) => event), ["open", "close", "open", "ready"]);
    assert.equal(events[3]?.dialect, "classic");
    assert.equal((await client.version()).get(client.serverFor("k").id), events[3]?.version);
  });

  test("several servers behind one: keys of all in one call, thousands in one tick", async () => {
    const entries = new Map(Array.from({ length: 3_000 }, (_, i) => [`many:${i}`, `${i}`]));
    await Promise.all(Array.from(entries, ([key, value]) => client.set(key, value)));
    assert.deepEqual(await client.getMany(entries.keys()), entries);
    const found = await Promise.all([...entries.keys()].map((key) => client.get(key)));
    assert.deepEqual(found, [...entries.values()]);
    const counts = await Promise.all(servers.map(async (server) => {
      const stats = await server.ask("stats");
      return Number(/STAT curr_items (\d+)/.exec(stats)?.[1]);
    }));
    assert.ok(counts.every((count) => count > 500), counts.join(" "));
    assert.ok([...(await client.deleteMany(entries.keys())).values()].every(Boolean));
  });

  test("a command that it does not know is an UnsupportedError, and disturbs no other call", async () => {
    await client.set("k", "v");
    const before = events.filter(({ event }) => event === "close").length;
    const dump = client.keys();
    const outcomes = await Promise.allSettled([
      client.get("k"),
      client.stats(),
      client.set("k2", 1),
      client.stats("settings"),
      client.flushAll(),
      client.increment("k2"),
      dump.next(),
      client.getMany(["k", "k2"]),
    ]);
    for (const i of [1, 3, 4, 6]) {
      const outcome = outcomes[i];
      assert.ok(outcome?.status === "rejected", `call ${i}`);
      assert.ok(outcome.reason instanceof UnsupportedError, String(outcome.reason));
      assert.equal(outcome.reason.server?.address, proxy.address);
      // The outcome of a flush without an answer is unknown, whatever the reason.
      assert.equal(outcome.reason.ambiguous, i === 4);
    }
    assert.deepEqual(
      [0, 2, 5, 7].map((i) => (outcomes[i] as PromiseFulfilledResult<unknown>).value),
      ["v", undefined, 2n, new Map<string, unknown>([["k", "v"], ["k2", 2]])],
    );
    // The shared connection was not touched by any of it.
    assert.equal(events.filter(({ event }) => event === "close").length, before);
    assert.deepEqual(failures, []);
  });

  test("with protocol meta each call is a typed error in time", async () => {
    const meta = new Memcached(proxy.address, { protocol: "meta", timeout: 1_000 });
    const calls = [meta.set("k", 1), meta.get("k"), meta.getMany(["a", "b"])];
    for (const outcome of await Promise.allSettled(calls)) {
      assert.ok(outcome.status === "rejected" && outcome.reason instanceof MemcachedError);
    }
    await meta.close();
    assert.equal(await client.get("k"), "v");
  });

  test("a dead server behind it: its keys fail, those of the others do not", async () => {
    const keys = Array.from({ length: 60 }, (_, i) => `dead:${i}`);
    await client.setMany(keys.map((key) => [key, 1]));
    const [dead] = servers as [MemcachedServer];
    const lost: string[] = [];
    for (const key of keys) {
      if (/^VALUE/.test(await dead.ask(`get ${key}`))) lost.push(key);
    }
    assert.ok(lost.length > 5 && lost.length < 55);
    await dead.kill();
    try {
      // Reads and writes of one tick: were the reads joined to lines, the proxy would close the
      // connection on the first, and the writes would be ambiguous.
      const calls = keys.map((key) => client.get(key));
      const writes = keys.map((key) => client.set(key, 2));
      const outcomes = await Promise.allSettled([...calls, ...writes]);
      outcomes.forEach((outcome, i) => {
        if (lost.includes(keys[i % keys.length] as string)) {
          assert.ok(outcome.status === "rejected" && outcome.reason instanceof ServerError);
          assert.equal(outcome.reason.ambiguous, false);
        } else {
          const value = i < keys.length ? 1 : undefined;
          assert.deepEqual(outcome, { status: "fulfilled", value });
        }
      });
      // It answers a line of several keys with one error, whichever key's server is dead: no key is a miss.
      await assert.rejects(client.getMany(keys), PartialError);
    } finally {
      await dead.restart();
    }
    assert.equal(await client.get(keys.find((key) => !lost.includes(key)) as string), 2);
  });

  test("a silent server behind it: the outcome of a write is unknown, and the write was in fact done", async () => {
    const [server] = servers as [MemcachedServer];
    const hasty = await startNutcracker([server], 100);
    const impatient = new Memcached(hasty.address, { timeout: 5_000 });
    try {
      await impatient.set("n", 1);
      server.pause();
      const outcomes = await Promise.allSettled([
        impatient.get("n"),
        impatient.increment("n"),
        impatient.set("m", 1),
        impatient.touch("n", 0),
      ]);
      outcomes.forEach((outcome, i) => {
        assert.ok(outcome.status === "rejected" && outcome.reason instanceof ServerError);
        assert.match(outcome.reason.message, /timed out/);
        assert.equal(outcome.reason.ambiguous, i === 1 || i === 2);
      });
      server.resume();
      // The proxy has given up the connection that they are in: the server does them when it reads it.
      await until(async () => {
        const found = await impatient.getMany(["n", "m"]);
        return found.get("n") === 2 && found.get("m") === 1;
      });
    } finally {
      server.resume();
      await impatient.close();
      await hasty.stop();
    }
  });
});

/** fetch if the cache fails, and what that leaves behind; also the loads of many callers at once. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Memcached } from "../../../mod.ts";
import { MemcachedServer as FakeServer } from "../../../src/testing/mod.ts";
import { startMany, startMemcached } from "../../support/memcached.ts";
import { startScriptedServer } from "../../support/scripted_server.ts";
import { until } from "../../support/until.ts";
import { converse, Counted, heard, item } from "./conversation.ts";
import { ENDS_AFTER, PATIENT } from "../../support/patient.ts";

const OPTIONS = { ttl: 60, stale: 10, lease: 2 };
const unwanted = (): never => assert.fail("loaded");

for (const protocol of ["meta", "classic"] as const) {
  describe(`fetch when the cache fails, ${protocol}`, { concurrency: true }, () => {
    test("nobody listens: the loader runs once for all callers that come meanwhile, and nothing rejects", async () => {
      await using client = new Memcached("127.0.0.1:1", { protocol });
      const counted = new Counted(async () => {
        await sleep(50);
        return "value";
      });
      for (let round = 1; round <= 2; round++) {
        const messages = await heard(client, async () => {
          const found = await Promise.all(
            Array.from({ length: 50 }, () => client.fetch("k", counted.load, OPTIONS)),
          );
          assert.deepEqual(new Set(found), new Set(["value"]));
        });
        assert.equal(counted.runs, round);
        assert.deepEqual(new Set(messages.map(({ result }) => result)), new Set(["bypassed"]));
        assert.equal(messages.length, 50);
        for (const { error } of messages) {
          assert.equal((error as { code: string }).code, "SERVER_DOWN");
        }
      }
      await assert.rejects(
        client.fetch("k", () => Promise.reject(new Error("source")), OPTIONS),
        /source/,
      );
      const many = await client.fetchMany(
        ["a", "b"],
        (missing) => Promise.resolve(new Map(missing.map((k) => [k, k]))),
        OPTIONS,
      );
      assert.deepEqual(many, new Map([["a", "a"], ["b", "b"]]));
      await assert.rejects(client.invalidate("k"), { code: "SERVER_DOWN" });
      await assert.rejects(client.lock("k", { ttl: 5 }), { code: "SERVER_DOWN" });
    });

    test("a server that does not answer: the loader runs after `timeout`, which does not include the load", async () => {
      await using server = await startMemcached();
      await using client = new Memcached(server.address, { protocol, timeout: 20_000 });
      await client.get("k");
      server.pause();
      const start = performance.now();
      const value = await client.fetch("k", () => sleep(200).then(() => "value"), {
        ...OPTIONS,
        timeout: 100,
      });
      assert.equal(value, "value");
      const ms = performance.now() - start;
      assert.ok(ms >= 300 && ms < 10_000, `${ms}`);
      server.resume();
    });

    test("one server of three is down: its keys are loaded and not stored, the others stored", async () => {
      const servers = await startMany(3);
      await using client = new Memcached(servers.map(({ address }) => address), {
        ...PATIENT,
        protocol,
      });
      const keys = Array.from({ length: 60 }, (_, i) => `key-${i}`);
      const dead = servers[0] as (typeof servers)[number];
      await dead.kill();
      const loads: number[] = [];
      const load = (missing: readonly string[]): Promise<Map<string, string>> => {
        loads.push(missing.length);
        return Promise.resolve(new Map(missing.map((k) => [k, k])));
      };
      const all = new Map(keys.map((k) => [k, k]));
      assert.deepEqual(await client.fetchMany(keys, load, OPTIONS), all);
      const there = keys.filter((k) => client.serverFor(k).address === dead.address).length;
      assert.ok(there > 0 && there < 60);
      assert.deepEqual(await client.fetchMany(keys, load, OPTIONS), all);
      assert.deepEqual(loads, [60, there]);
      for (const server of servers) await server.stop();
    });

    test("a loaded value that waits for room is stored as it was", async () => {
      await using server = await startMemcached();
      await using client = new Memcached(server.address, { ...PATIENT, protocol, maxPending: 4 });
      await using other = new Memcached(server.address, { ...PATIENT, protocol });
      const all = new Map(Array.from({ length: 20 }, (_, i) => [`k${i}`, { number: i }]));
      await client.fetchMany(all.keys(), () => Promise.resolve(all), OPTIONS);
      // The codec's buffer is one for all values, so each has to keep its own while it waits.
      assert.deepEqual(await other.getMany(all.keys()), all);
    });

    test("the connection is full: loaded, and fetchMany waits for room", async () => {
      await using server = await startMemcached();
      await using client = new Memcached(server.address, { ...PATIENT, protocol, maxPending: 8 });
      await client.set("there", "there");
      server.pause();
      const gets = Array.from({ length: 8 }, (_, i) => client.get(`other-${i}`));
      assert.equal(await client.fetch("k", () => "loaded", OPTIONS), "loaded");
      server.resume();
      await Promise.all(gets);
      const keys = ["there", ...Array.from({ length: 200 }, (_, i) => `many-${i}`)];
      const loads: number[] = [];
      const load = (missing: readonly string[]): Promise<Map<string, string>> => {
        loads.push(missing.length);
        return Promise.resolve(new Map(missing.map((k) => [k, k])));
      };
      const all = new Map(keys.map((k) => [k, k]));
      assert.deepEqual(await client.fetchMany(keys, load, OPTIONS), all);
      assert.deepEqual(await client.fetchMany(keys, load, OPTIONS), all);
      assert.deepEqual(loads, [200], "nothing was refused, everything was stored");
    });

    test("the server restarts during the load: its tokens begin again, and nothing is stored", async () => {
      await using server = await startMemcached();
      await using client = new Memcached(server.address, { ...PATIENT, protocol });
      await using other = new Memcached(server.address, { ...PATIENT, protocol });
      let token: bigint | undefined;
      const value = await client.fetch("k", async () => {
        await server.restart();
        await until(() => other.get("x").then(() => true, () => false));
        // This is the new process's first item, so it may well get the same token as the winner's.
        await other.set("k", "newer");
        token = (await other.getItem("k"))?.cas;
        return "old";
      }, OPTIONS);
      assert.equal(value, "old");
      assert.equal(token, 1n);
      await client.version();
      assert.notEqual(await other.get("k"), "old");
    });

    test("a server that keeps no tokens: UnsupportedError, whatever is there", async () => {
      await using server = await startMemcached({ args: ["-C"] });
      await using client = new Memcached(server.address, { ...PATIENT, protocol });
      await assert.rejects(client.fetch("k", unwanted, OPTIONS), { code: "UNSUPPORTED" });
      await client.set("there", 1);
      await assert.rejects(client.fetch("there", unwanted, OPTIONS), { code: "UNSUPPORTED" });
      await assert.rejects(client.fetchMany(["there"], unwanted, OPTIONS), { code: "UNSUPPORTED" });
      await assert.rejects(client.lock("lock", { ttl: 5 }), { code: "UNSUPPORTED" });
    });

    test("a server without memory: every caller gets the value, and no stub is left", async () => {
      await using server = await FakeServer.start({ memoryLimit: 2 ** 20, outOfMemory: true });
      await using client = new Memcached(server.address, { ...PATIENT, protocol });
      const big = "x".repeat(600_000);
      await client.set("filling", big);
      await assert.rejects(client.set("k", big), { code: "SERVER_ERROR" });
      for (let i = 0; i < 3; i++) {
        assert.equal(await client.fetch("k", () => big, OPTIONS), big);
      }
      assert.equal(await client.get("k"), undefined);
    });

    test("close waits for a load that has begun, and its value is stored", async () => {
      await using server = await startMemcached();
      const client = new Memcached(server.address, { ...PATIENT, protocol });
      let begun = (): void => {};
      const loading = new Promise<void>((resolve) => begun = resolve);
      const value = client.fetch("k", async () => {
        begun();
        await sleep(60);
        return "value";
      }, OPTIONS);
      await loading;
      const closed = client.close();
      await assert.rejects(client.fetch("k", unwanted, OPTIONS), { code: "CLOSED" });
      await closed;
      assert.equal(await value, "value");
      await using other = new Memcached(server.address, { ...PATIENT, protocol });
      assert.equal(await other.get("k"), "value");
    });

    test("a loader takes longer than the lease: another one is let in, and the first value is not stored", async () => {
      await using server = await startMemcached();
      await using first = new Memcached(server.address, { ...PATIENT, protocol });
      await using second = new Memcached(server.address, { ...PATIENT, protocol });
      let loading = false;
      const start = performance.now();
      const slow = first.fetch("k", async () => {
        loading = true;
        await sleep(4_500);
        return "slow";
      }, OPTIONS);
      await until(() => loading);
      assert.equal(await second.fetch("k", () => "quick", OPTIONS), "quick");
      const ms = performance.now() - start;
      assert.ok(ms >= ENDS_AFTER && ms < 4_400, `${ms}`);
      assert.equal(await slow, "slow");
      assert.equal(await second.get("k"), "quick");
    });
  });
}

test("the reply comes when nobody waits any more: a win that it brings is given back", async () => {
  let given: ((line: string) => void) | undefined;
  const back = new Promise<string>((resolve) => given = resolve);
  let settle = (): void => {};
  const settled = new Promise<void>((resolve) => settle = resolve);
  await using server = await startScriptedServer(async (peer) => {
    const ask = await peer.next();
    await settled;
    await peer.write(`VA 0 f0 c9 W O${ask.opaque}\r\n\r\n`);
    const next = await peer.next();
    given?.(next.line);
    await peer.write(`HD O${next.opaque}\r\n`);
  });
  await using client = new Memcached(server.address, { ...PATIENT, protocol: "meta" });
  assert.equal(await client.fetch("k", () => "value", { ...OPTIONS, timeout: 50 }), "value");
  settle();
  assert.match(await back, /^md k I C9 /);
});

test("the caller is gone before the answer: a win is given back, and nothing is loaded", async () => {
  for (
    const [found, back] of [
      [item("meta", "", { flags: 0, marks: "W" }), "md k C7"],
      [item("meta", "old", { marks: "W" }), "md k I C7"],
    ] as const
  ) {
    await converse("meta", [["mg k v f c N3 R11", found], [back, "HD"]], async (client) => {
      const signal = AbortSignal.abort(new Error("mine"));
      await assert.rejects(
        client.fetch("k", unwanted, { ...OPTIONS, signal }),
        /mine/,
        "nothing sent",
      );
      const controller = new AbortController();
      const call = client.fetch("k", unwanted, { ...OPTIONS, signal: controller.signal });
      controller.abort(new Error("mine"));
      await assert.rejects(call, /mine/);
      await sleep(100); // a read would end in a protocol error if it came before
    });
  }
});

for (const protocol of ["meta", "classic"] as const) {
  test(`a caller who leaves takes nothing from another caller of the key, ${protocol}`, async () => {
    await using server = await startMemcached();
    await using client = new Memcached(server.address, { protocol, ...PATIENT });
    await client.set("connected", 1);
    const controller = new AbortController();
    const { signal } = controller;
    const first = client.fetch("k", () => "first", { ...OPTIONS, signal });
    const second = client.fetch("k", () => "second", OPTIONS);
    controller.abort(new Error("mine"));
    await assert.rejects(first, /mine/);
    assert.equal(await second, "second");
    assert.equal(await client.get("k"), "second");
  });
}

test("memcached 1.5.22, by script: the classic lease, token by token", async () => {
  // The script follows protocol.txt of 1.5.22, which counts tokens and knows no meta command.
  await converse("classic", [
    ["gets k", "END"],
    ["add k 65536 3 16\n<nonce>", "STORED"],
    ["gets k", item("classic", "<nonce>", { flags: 65_536, cas: 1 })],
    ["cas k 16 60 5 1\nvalue", "STORED"],
    ["gets k", item("classic", "value", { cas: 2 })],
    ["delete k", "DELETED"],
    ["gets k", "END"],
    ["add k 65536 3 16\n<nonce>", "STORED"],
    ["gets k", item("classic", "<nonce>", { flags: 65_536, cas: 3 })],
    ["delete k", "DELETED"],
    ["cas k 16 60 3 3\nold", "NOT_FOUND"],
  ], async (client) => {
    assert.equal(await client.fetch("k", () => "value", OPTIONS), "value");
    assert.equal(await client.fetch("k", unwanted, OPTIONS), "value");
    assert.equal(await client.invalidate("k", { stale: 30 }), true);
    const value = await client.fetch("k", async () => {
      await client.invalidate("k");
      return "old";
    }, OPTIONS);
    assert.equal(value, "old");
  });
});

describe("many callers at once", () => {
  const MIXES = {
    meta: ["meta", "meta", "meta", "meta"],
    classic: ["classic", "classic", "classic", "classic"],
    mixed: ["meta", "classic", "meta", "classic"],
  } as const;
  for (const [name, protocols] of Object.entries(MIXES)) {
    test(`2,000 cold callers on four clients, ${name}: one load`, async () => {
      await using server = await startMemcached();
      const clients = protocols.map((protocol) =>
        new Memcached(server.address, { ...PATIENT, protocol })
      );
      for (let round = 0; round < 3; round++) {
        const counted = new Counted(() => sleep(50).then(() => "value"));
        const found = await Promise.all(
          Array.from(
            { length: 2_000 },
            (_, i) => (clients[i % 4] as Memcached).fetch(`k${round}`, counted.load, OPTIONS),
          ),
        );
        assert.deepEqual([counted.runs, new Set(found)], [1, new Set(["value"])]);
      }
      for (const client of clients) await client.close();
    });

    test(`churn on four clients, ${name}: nobody reads a value that was invalidated before`, async () => {
      await using server = await startMemcached();
      const clients = protocols.map((protocol) =>
        new Memcached(server.address, { ...PATIENT, protocol })
      );
      const source = { version: 1, acknowledged: 1 };
      let loads = 0;
      let reads = 0;
      let old = 0;
      const end = performance.now() + 2_000;
      const read = async (client: Memcached): Promise<void> => {
        while (performance.now() < end) {
          const least = source.acknowledged;
          const value = await client.fetch("k", async () => {
            loads++;
            const { version } = source;
            await sleep(Math.random() * 5);
            return version;
          }, { ttl: 60, lease: 5 });
          reads++;
          if ((value as number) < least) old++;
          if (Math.random() < 0.05) await sleep(1);
        }
      };
      const write = async (): Promise<void> => {
        for (let i = 0; performance.now() < end; i++) {
          await sleep(Math.random() * 6);
          const version = ++source.version;
          const client = clients[i % 4] as Memcached;
          if (i % 2 === 0) await client.delete("k");
          else await client.invalidate("k");
          source.acknowledged = version;
        }
      };
      await Promise.all([
        write(),
        ...clients.flatMap((client) => [1, 2, 3, 4].map(() => read(client))),
      ]);
      assert.ok(loads > 20 && reads > loads * 3, `${loads} loads, ${reads} reads`);
      assert.equal(old, 0);
      for (const client of clients) await client.close();
    });
  }
});

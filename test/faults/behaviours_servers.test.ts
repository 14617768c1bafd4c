/** Behaviours with servers that die, come back or are silent, and with several servers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ConnectionLostError, Memcached, ServerDownError, TimeoutError } from "../../mod.ts";
import { type MemcachedServer, startMany, startMemcached } from "../support/memcached.ts";
import { startScriptedServer } from "../support/scripted_server.ts";
import { together } from "../support/together.ts";
import { until } from "../support/until.ts";
import { behaviour, real } from "./behaviours.ts";
import { DIALECTS, outcome, PATIENT, valueOf } from "./rig.ts";

async function stopAll(servers: readonly MemcachedServer[]): Promise<void> {
  await Promise.all(servers.map((server) => server.stop()));
}

for (const dialect of DIALECTS) {
  test(behaviour("SIGKILL server", dialect), async () => {
    await using at = await real(dialect);
    await at.client.set("k", "v");
    at.server.pause();
    await sleep(50);
    const calls = [at.client.get("k"), at.client.set("k", "w"), at.client.getMany(["k", "l"])];
    const ends = Promise.all(calls.map(outcome));
    await sleep(20);
    const start = performance.now();
    await at.server.kill();
    const [get, set] = await ends;
    assert.ok(performance.now() - start < 10_000, "not by its deadline");
    assert.ok(get?.error instanceof ServerDownError, String(get?.error));
    assert.ok(set?.error instanceof ConnectionLostError && set.error.ambiguous);
  });

  test(behaviour("refused at start", dialect), async () => {
    await using at = await real(dialect);
    await at.server.kill();
    const { error, ms } = await outcome(at.client.get("k"));
    assert.ok(error instanceof ServerDownError);
    assert.ok(ms < 10_000, "not by its deadline");
    await at.server.restart();
    await until(async () => (await outcome(at.client.get("k"))).error === undefined, 3_000);
  });
}

const inBothDialects = (dialect: typeof DIALECTS[number]): Record<string, () => Promise<void>> => ({
  [behaviour("restart after 1 s", dialect)]: async () => {
    await using at = await real(dialect);
    await at.client.set("k", "v");
    await at.server.kill();
    await sleep(1_000);
    await outcome(at.client.get("k"));
    const start = performance.now();
    await at.server.restart();
    await until(async () => (await outcome(at.client.set("k", "new"))).error === undefined);
    assert.ok(performance.now() - start < 3_000);
    assert.equal(await at.client.get("k"), "new");
  },

  [behaviour("never answers (defaults)", dialect)]: async () => {
    await using server = await startScriptedServer(async (peer) => {
      for (;;) await peer.next();
    }, { dialect });
    await using client = new Memcached(server.address);
    const ends = await Promise.all([outcome(client.get("k")), outcome(client.set("k", "v"))]);
    for (const { error, ms } of ends) {
      assert.ok(error instanceof TimeoutError, String(error));
      assert.ok(ms >= 1_000 && ms < 20_000, `${ms} ms`);
    }
  },

  [behaviour("1,000 cold gets", dialect)]: async () => {
    await using at = await real(dialect);
    const keys = Array.from({ length: 1_000 }, (_, i) => `k${i}`);
    await using other = new Memcached(at.server.address, PATIENT);
    await other.setMany(keys.slice(0, 500).map((key) => [key, key]));
    const before = await connections(at.server);
    const values = await Promise.all(keys.map((key) => at.client.get(key)));
    assert.deepEqual(values, keys.map((key, i) => i < 500 ? key : undefined));
    assert.equal(
      await connections(at.server) - before,
      2,
      "the client's, and that of this question",
    );
  },

  [behaviour("10,000 warm gets", dialect)]: async () => {
    await using at = await real(dialect);
    const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
    await at.client.setMany(keys.map((key) => [key, valueOf(key)]));
    const many = Array.from({ length: 10_000 }, (_, i) => keys[(i * 7) % 100] as string);
    const values = await Promise.all(many.map((key) => at.client.get(key)));
    assert.deepEqual(values, many.map(valueOf));
  },

  [behaviour("idle 6.5 s", dialect)]: async () => {
    await using at = await real(dialect);
    await at.client.set("k", "v");
    const before = await connections(at.server);
    await sleep(6_500);
    assert.equal(await at.client.get("k"), "v");
    assert.equal(await connections(at.server) - before, 1, "this question's");
  },

  [behaviour("server closed idle connection", dialect)]: async () => {
    await using server = await startMemcached({ args: ["-o", "idle_timeout=1"] });
    await using client = new Memcached(server.address, { ...PATIENT, protocol: dialect });
    await client.set("k", "v");
    await until(async () => /curr_connections 1\r/.test(await server.ask("stats")), 15_000);
    await sleep(50); // until its FIN has been read
    const ends = await Promise.all([outcome(client.set("l", "v")), outcome(client.get("k"))]);
    assert.deepEqual(ends.map(({ error }) => error), [undefined, undefined]);
  },

  [behaviour("3 servers, 300 keys", dialect)]: async () => {
    const servers = await startMany(3);
    try {
      const addresses = servers.map((server) => server.address);
      await using client = new Memcached(addresses, { ...PATIENT, protocol: dialect });
      const keys = Array.from({ length: 300 }, (_, i) => `key:${i}`);
      await Promise.all(keys.map((key) => client.set(key, key)));
      assert.deepEqual(await Promise.all(keys.map((key) => client.get(key))), keys);
      assert.equal((await client.getMany(keys)).size, 300);
      for (const server of servers) {
        const held = Number(/curr_items (\d+)\r/.exec(await server.ask("stats"))?.[1]);
        const mine = keys.filter((key) => client.serverFor(key).address === server.address);
        assert.equal(held, mine.length);
        assert.ok(held > 60 && held < 140, `even: ${held}`);
      }
    } finally {
      await stopAll(servers);
    }
  },

  [behaviour("1 of 3 dies for 3 s", dialect)]: async () => {
    const servers = await startMany(3);
    try {
      const [dead] = servers as [MemcachedServer];
      const addresses = servers.map((server) => server.address);
      await using client = new Memcached(addresses, { ...PATIENT, protocol: dialect });
      const keys = Array.from({ length: 60 }, (_, i) => `key:${i}`);
      const lost = keys.filter((key) => client.serverFor(key).address === dead.address);
      await Promise.all(keys.map((key) => client.set(key, key)));
      await dead.kill();
      const end = performance.now() + 3_000;
      for (let round = 0; performance.now() < end; round++) {
        for (const key of keys) {
          const { value, error, ms } = await outcome(client.get(key));
          if (!lost.includes(key)) assert.equal(value, key, "the others are fine");
          else assert.ok(error instanceof ServerDownError, `${error}`);
          // At once: a call that waited would take the 20 s of PATIENT.
          assert.ok(ms < 10_000, `after ${ms} ms`);
        }
        await sleep(100);
      }
      await dead.restart();
      // At the end of a long outage probes are 5 s apart; by now they are at most 3.2 s apart.
      const rejoined = async (): Promise<boolean> =>
        (await outcome(client.get(lost[0] as string))).error === undefined;
      await until(rejoined, 4_500);
      await Promise.all(keys.map((key) => client.set(key, "new")));
      assert.equal((await client.getMany(keys)).size, 60);
    } finally {
      await stopAll(servers);
    }
  },
});

/** Returns how many connections were made to the server in all, with that of this question. */
async function connections(server: MemcachedServer): Promise<number> {
  return Number(/total_connections (\d+)\r/.exec(await server.ask("stats"))?.[1]);
}

const cases = together({
  ...Object.assign({}, ...DIALECTS.map(inBothDialects)),
});

for (const [name, run] of cases) test(name, run);

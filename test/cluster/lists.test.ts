/** New lists of servers under load: no request in flight is dropped, and nothing leaks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ClosedError, type Hashing, Memcached } from "../../mod.ts";
import { answer, behave, DIALECTS, outcome, PATIENT, valueOf } from "../faults/rig.ts";
import { type MemcachedServer, startMany } from "../support/memcached.ts";
import { type ScriptedServer, startScriptedServer } from "../support/scripted_server.ts";
import { together } from "../support/together.ts";
import { until } from "../support/until.ts";
import { Random } from "../v8/random.ts";

/** Several servers that answer each command after a while. */
async function slow(count: number, ms: number): Promise<ScriptedServer[]> {
  return await Promise.all(Array.from({ length: count }, () =>
    startScriptedServer(async (peer) => {
      for (;;) {
        const command = await peer.next();
        setTimeout(() => void peer.write(answer(command)), ms);
      }
    })));
}

const cases = together({
  ...Object.fromEntries(DIALECTS.map((protocol) => [
    `random lists under steady load, ${protocol}`,
    async () => {
      const seed = Date.now() % 2 ** 31;
      const random = new Random(seed);
      const servers = await startMany(4);
      const client = new Memcached(servers.map(({ address }) => address), { ...PATIENT, protocol });
      try {
        let stop = false;
        let calls = 0;
        const wrong: string[] = [];
        const load = Array.from({ length: 20 }, async (_, worker) => {
          for (let i = 0; !stop; i++, calls++) {
            const key = `${worker}-${i % 50}`;
            // A server may have joined since the key was written, so its value or none, but no error.
            const { error, value } = await outcome(
              i % 3 === 0
                ? client.set(key, valueOf(key))
                : i % 3 === 1
                ? client.getMany([key, `${key}-b`]).then((found) => found.get(key))
                : client.get(key),
            );
            if (error !== undefined) wrong.push(String(error));
            if (value !== undefined && value !== valueOf(key)) wrong.push(String(value));
            if (i % 20 === 0) await sleep(1);
          }
        });
        for (let round = 0; round < 60; round++) {
          const list = servers.filter(() => random.below(3) > 0);
          if (list.length === 0) list.push(random.of(servers));
          client.setServers(list.map(({ address }) => [address, 1 + random.below(3)] as const));
          await sleep(random.below(12));
        }
        stop = true;
        await Promise.all(load);
        assert.deepEqual(wrong, [], `seed ${seed}`);
        assert.ok(calls > 500, `${calls} calls`);
        const last = servers[0] as MemcachedServer;
        client.setServers(last.address);
        await client.get("k");
        for (const server of servers.slice(1)) {
          // The test's own question is the only connection.
          await until(async () => /curr_connections 1\r/.test(await server.ask("stats")));
        }
      } finally {
        await client.close();
        await Promise.all(servers.map((server) => server.stop()));
      }
    },
  ])),

  "a removed server answers what it was asked, then its connection closes": async () => {
    const [old, next] = await slow(2, 150) as [ScriptedServer, ScriptedServer];
    await using client = new Memcached(old.address, PATIENT);
    await client.get("first");
    const calls = [client.get("a"), client.set("b", "v"), client.getMany(["c", "d"])];
    client.setServers(next.address);
    const later = client.get("e");
    assert.deepEqual(await Promise.all(calls), [
      valueOf("a"),
      undefined,
      new Map(["c", "d"].map((key) => [key, valueOf(key)])),
    ]);
    assert.equal(await later, valueOf("e"));
    await until(() => old.open === 0);
    assert.equal(next.open, 1);
    assert.equal(old.connections, 1);
    await client.close();
    await Promise.all([old.stop(), next.stop()]);
  },

  "a call for many keys in portions ends where it began": async () => {
    const [old, next] = await slow(2, 20) as [ScriptedServer, ScriptedServer];
    await using client = new Memcached(old.address, { ...PATIENT, maxPending: 10 });
    const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
    const call = client.setMany(keys.map((key) => [key, "v"]));
    await sleep(30);
    client.setServers(next.address);
    await call;
    assert.equal(next.connections, 0, "a new list counts from the next call on");
    await until(() => old.open === 0);
    await client.close();
    await Promise.all([old.stop(), next.stop()]);
  },

  "a server that is removed and named again at once": async () => {
    await using a = await startScriptedServer(behave);
    await using b = await startScriptedServer(behave);
    await using client = new Memcached(a.address, PATIENT);
    for (let round = 0; round < 5; round++) {
      const call = client.get("k");
      client.setServers(b.address);
      client.setServers([a.address, a.address, b.address]);
      assert.equal(await call, valueOf("k"));
      client.setServers(a.address);
      assert.equal(await client.get("k"), valueOf("k"));
    }
    await until(() => a.open === 1 && b.open === 0);
  },

  "order and weights do not matter to a connection, an id does": async () => {
    await using a = await startScriptedServer(behave);
    await using b = await startScriptedServer(behave);
    await using client = new Memcached([a.address, b.address], PATIENT);
    const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
    await client.getMany(keys);
    client.setServers([[b.address, 3], [a.address, 2]]);
    await client.getMany(keys);
    client.setServers([{ host: "127.0.0.1", port: a.port, weight: 9 }, b.address]);
    await client.getMany(keys);
    assert.deepEqual([a.connections, b.connections], [1, 1]);
    client.setServers([{ host: "127.0.0.1", port: a.port, id: "one" }]);
    await client.getMany(keys);
    assert.equal(client.serverFor("k").id, "one");
    await until(() => a.open === 1 && b.open === 0);
    assert.equal(a.connections, 2);
  },

  "after close() there is no new list; a close waits for those that left": async () => {
    const [old, next] = await slow(2, 150) as [ScriptedServer, ScriptedServer];
    const client = new Memcached(old.address, PATIENT);
    await client.get("first");
    const call = outcome(client.get("k"));
    client.setServers(next.address);
    await client.close();
    assert.equal((await call).value, valueOf("k"));
    assert.throws(() => client.setServers(old.address), ClosedError);
    await until(() => old.open === 0);
    await Promise.all([old.stop(), next.stop()]);
  },
});

for (const [name, run] of cases) test(name, run);

test("a hashing that names no server of the list makes every call fail", async () => {
  await using a = await startScriptedServer(behave);
  await using b = await startScriptedServer(behave);
  for (const index of [-1, 2, 0.5, NaN, undefined]) {
    const hashing: Hashing = () => ({
      pick: () => index as number,
      order: () => [index as number],
    });
    await using client = new Memcached([a.address, b.address], { hashing });
    assert.throws(() => client.serverFor("k"), { code: "ERR_INVALID_ARGUMENT" }, String(index));
    for (const call of [client.get("k"), client.set("k", "v"), client.getMany(["k"])]) {
      const { error } = await outcome(call);
      assert.equal(error?.code, "ERR_INVALID_ARGUMENT", String(index));
    }
  }
  assert.equal(a.connections + b.connections, 0);
  const throws: Hashing = () => {
    throw new Error("the caller's own");
  };
  assert.throws(() => new Memcached("a,b", { hashing: throws }), /the caller's own/);
});

/** The first batch after a rest: the socket is read before it leaves, and it is one batch all the same. */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Memcached } from "../../mod.ts";
import { startMemcached } from "../support/memcached.ts";
import { startScriptedServer } from "../support/scripted_server.ts";
import { until } from "../support/until.ts";
import { together } from "../support/together.ts";
import { answer, behave, type Dialect, DIALECTS, PATIENT, rig, valueOf } from "./rig.ts";

const REST = 1_100;

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

const inDialect = (protocol: Dialect): Record<string, () => Promise<void>> => ({
  [`calls for many keys that find room in it leave with it, ${protocol}`]: async () => {
    await using server = await startMemcached();
    await using client = new Memcached(server.address, { ...PATIENT, protocol, maxPending: 1_200 });
    const counters = Array.from({ length: 900 }, (_, i) => `counter:${i}`);
    for (const [i, key] of counters.entries()) await client.set(key, i * 1_000);
    await sleep(REST);
    const controller = new AbortController();
    const { signal } = controller;
    const bytes = client.set("bytes", new Uint8Array([65, 66, 67]));
    const counts = counters.slice(0, 890).map((key) => client.increment(key));
    const aborted = Array.from({ length: 300 }, (_, i) => client.get(`aborted:${i}`, { signal }));
    const many = client.getMany(counters.slice(0, 100));
    controller.abort();
    const ends = await Promise.allSettled(aborted);
    assert.ok(ends.every(({ status }) => status === "rejected"));
    await bytes;
    assert.deepEqual(await Promise.all(counts), counts.map((_, i) => BigInt(i * 1_000 + 1)));
    assert.equal((await many).size, 100);
    assert.deepEqual(await client.get("bytes"), new Uint8Array([65, 66, 67]));
  },
});

const cases = together({
  ...inDialect("meta"),
  ...inDialect("classic"),

  "a caller that goes on working does not make it leave before the socket was read": async () => {
    for (const dialect of DIALECTS) {
      await using at = await rig(dialect, async (peer) => {
        await peer.write(answer(await peer.next()));
        await peer.next();
      });
      assert.equal(await at.client.get("k"), valueOf("k"));
      await sleep(REST);
      const count = await new Promise<Promise<unknown>>((resolve) =>
        setImmediate(() => {
          at.server.peers[0]?.destroy();
          const counting = at.client.increment("n");
          block(40);
          resolve(counting);
        })
      );
      assert.equal(await count, 5n);
    }
  },
});

for (const [name, run] of cases) test(name, run);

test("a fetchMany that is asked for between two looks at the time still has a deadline", async () => {
  await using server = await startScriptedServer(async (peer) => {
    for (;;) {
      const command = await peer.next();
      if (command.name === "get") await peer.write(answer(command));
    }
  }, { dialect: "classic" });
  await using client = new Memcached(server.address, { protocol: "classic", timeout: 200 });
  await client.get("warm");
  await sleep(300);
  const first = client.get("k");
  await new Promise((resolve) => setImmediate(resolve));
  block(50);
  await first;
  const loading = client.fetchMany(
    ["k1", "k2"],
    (keys) => new Map(keys.map((key) => [key, "loaded"])),
    { ttl: 10, timeout: 200 },
  );
  let found: Map<string, string> | undefined;
  void loading.then((values) => found = values);
  await until(() => found !== undefined);
  assert.deepEqual(found, new Map([["k1", "loaded"], ["k2", "loaded"]]));
});

test("a server that leaves the list answers what stands on a line", async () => {
  await using server = await startScriptedServer(async (peer) => {
    for (;;) {
      const command = await peer.next();
      await sleep(30);
      await peer.write(answer(command));
    }
  }, { dialect: "classic" });
  await using other = await startScriptedServer(behave, { dialect: "classic" });
  await using client = new Memcached(server.address, {
    ...PATIENT,
    protocol: "classic",
    maxPending: 14,
  });
  await client.get("warm");
  const keys = Array.from({ length: 14 }, (_, i) => `k${i}`);
  const loaded: string[] = [];
  const load = (missing: readonly string[]): Map<string, string> => {
    loaded.push(...missing);
    return new Map(missing.map((key) => [key, "loaded"]));
  };
  const fetching = client.fetchMany(keys, load, { ttl: 10 });
  setTimeout(() => client.setServers(other.address), 10);
  assert.deepEqual(await fetching, new Map(keys.map((key) => [key, valueOf(key)])));
  assert.deepEqual(loaded, []);
  assert.equal(server.connections, 1);
});

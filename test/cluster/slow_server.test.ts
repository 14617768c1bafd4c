/** A server that is slow but keeps answering is not down. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Memcached, TimeoutError } from "../../mod.ts";
import { MemcachedServer as FakeServer } from "../../src/testing/mod.ts";
import { answer, outcome, outcomeAtOnce, valueOf } from "../faults/rig.ts";
import { startScriptedServer } from "../support/scripted_server.ts";
import { until } from "../support/until.ts";

test("many calls that time out at once, behind steady replies, do not make a server down", async () => {
  await using server = await startScriptedServer(async (peer) => {
    for (;;) {
      const command = await peer.next();
      await sleep(5);
      await peer.write(answer(command));
    }
  }, { dialect: "meta" });
  await using client = new Memcached(server.address, { timeout: 400 });
  const keys = Array.from({ length: 200 }, (_, i) => `k${i}`);
  const ends = await Promise.all(keys.map((key) => outcome(client.get(key))));
  const late = ends.filter(({ error }) => error !== undefined);
  assert.ok(late.length >= 3 && late.length < keys.length, `${late.length} timed out`);
  for (const { error } of late) assert.ok(error instanceof TimeoutError, String(error));
  // It is not refused, but sent after the calls that have given up.
  const next = await client.get("next", { timeout: 10_000 });
  assert.equal(next, valueOf("next"));
});

test("a server that falls silent after steady replies is still found to be down", async () => {
  await using server = await FakeServer.start();
  await using client = new Memcached(server.address, { timeout: 100 });
  for (let i = 0; i < 20; i++) assert.equal(await client.get("k"), undefined);
  server.stall(Infinity);
  const ends = await Promise.all(["a", "b", "c"].map((key) => outcome(client.get(key))));
  for (const { error } of ends) assert.ok(error instanceof TimeoutError, String(error));
  // A second connection is tried too.
  await until(async () => (await outcome(client.get("d"))).error?.code === "SERVER_DOWN");
  const { error } = await outcomeAtOnce(client.get("d"));
  assert.equal(error?.code, "SERVER_DOWN");
});

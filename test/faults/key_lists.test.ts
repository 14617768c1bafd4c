/** Lists of keys that are stopped from outside: by close(), by a signal, and while they wait. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ClosedError, Memcached } from "../../mod.ts";
import { runInChild } from "../support/child.ts";
import { startMemcached } from "../support/memcached.ts";
import { startScriptedServer } from "../support/scripted_server.ts";
import { until } from "../support/until.ts";
import { type Outcome, outcome, outcomeAtOnce, PATIENT } from "./rig.ts";

const EXITS = new URL("./exits.ts", import.meta.url);

test("close() ends a list of keys that its reader has paused, and the process exits", async () => {
  await using server = await startMemcached();
  await using filler = new Memcached(server.address, PATIENT);
  for (let from = 0; from < 60_000; from += 10_000) {
    await filler.setMany(Array.from({ length: 10_000 }, (_, i) => [`key:${from + i}`, 1] as const));
  }
  const { code, stdout, stderr } = await runInChild(EXITS, {
    args: ["closes with a paused list of keys", server.address],
    limit: 5_000,
  });
  const ended = Date.now();
  assert.equal(code, 0, `${stderr}${stdout}`);
  assert.match(stdout, /^key:\d+\nCLOSED\ndone/);
  assert.ok(ended - Number(/^done (\d+)$/m.exec(stdout)?.[1]) < 10_000);
});

test("close() ends a list of keys: one that waits for a line, and one of a server that has left", async () => {
  await using silent = await startScriptedServer(async (peer) => {
    await peer.next();
    await peer.write("key=a exp=-1 la=1 cas=1 fetch=no cls=1 size=60\r\n");
  });
  for (const leaves of [false, true]) {
    const client = new Memcached(silent.address, PATIENT);
    const keys = client.keys();
    assert.deepEqual(await keys.next(), { done: false, value: "a" });
    if (leaves) client.setServers(["127.0.0.1:1"]);
    const waiting = outcome(keys.next());
    await sleep(20);
    await client.close();
    const { error, ms } = await waiting;
    assert.ok(error instanceof ClosedError, String(error));
    assert.ok(ms < 10_000, `${ms} ms`);
    await until(() => silent.open === 0);
    assert.equal((await keys.next()).done, true);
  }
});

test("a server that leaves the list finishes the stats that it was asked for", async () => {
  let go = (): void => {};
  const left = new Promise<void>((resolve) => go = resolve);
  await using server = await startScriptedServer(async (peer) => {
    await peer.next();
    await left;
    await peer.write("STAT pid 17\r\nEND\r\n");
  });
  await using client = new Memcached(server.address, PATIENT);
  const stats = client.stats();
  await until(() => server.connections === 1);
  client.setServers(["127.0.0.1:1"]);
  go();
  assert.deepEqual([...(await stats).values()], [{ pid: 17 }]);
});

test("a list that waits for a busy server ends at once by its signal and by close()", async () => {
  await using server = await startScriptedServer(async (peer) => {
    await peer.next();
    await peer.write("BUSY currently processing crawler request\r\n");
  });
  for (const by of ["signal", "close"] as const) {
    const before = server.connections;
    const client = new Memcached(server.address, PATIENT);
    const controller = new AbortController();
    const list = outcome(client.keys({ signal: controller.signal }).next());
    // The pauses of 100, 200 and 400 ms are over, and that of 800 ms has begun.
    await until(() => server.connections === before + 4 && server.open === 0);
    const reason = new Error("the caller's own reason");
    if (by === "signal") controller.abort(reason);
    else await client.close();
    const { error } = (await outcomeAtOnce(list)).value as Outcome;
    if (by === "signal") assert.equal(error, reason);
    else assert.ok(error instanceof ClosedError, String(error));
    await client.close();
    assert.equal(server.connections, before + 4);
  }
});

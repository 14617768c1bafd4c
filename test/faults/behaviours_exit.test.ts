/** Behaviours of a process that ends or waits, with `close()` and without. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { runInChild } from "../support/child.ts";
import { freePort, startMemcached } from "../support/memcached.ts";
import { startScriptedServer } from "../support/scripted_server.ts";
import { behaviour } from "./behaviours.ts";
import { answer, behave, valueOf } from "./rig.ts";

const EXITS = new URL("./exits.ts", import.meta.url);

/** Returns the milliseconds from the process's last line to its end, and what it printed before. */
async function exit(how: string, address: string): Promise<{ ms: number; said: string[] }> {
  const { code, stdout, stderr } = await runInChild(EXITS, { args: [how, address], limit: 15_000 });
  const now = Date.now();
  assert.equal(code, 0, `${how}: ${stderr}${stdout}`);
  const done = /^done (\d+)$/m.exec(stdout);
  return { ms: now - Number(done?.[1]), said: stdout.split("\n").filter((line) => line !== "") };
}

test(behaviour("exit after close()"), async () => {
  await using server = await startMemcached();
  const { ms } = await exit("closes", server.address);
  assert.ok(ms < 10_000, `${ms} ms`);
});

test("exit after close() with calls that a silent server never answered", async () => {
  await using server = await startScriptedServer(async (peer) => {
    for (;;) await peer.next();
  });
  const { ms, said } = await exit("closes with calls at a silent server", server.address);
  assert.deepEqual(said.slice(0, 2), ["TIMEOUT", "TIMEOUT"]);
  assert.ok(ms < 10_000, `${ms} ms`);
});

test("exit without close(): an idle connection keeps no process alive", async () => {
  await using server = await startMemcached();
  const { ms } = await exit("forgets", server.address);
  assert.ok(ms < 10_000, `${ms} ms`);
});

test("no exit before a call has its answer", async () => {
  await using server = await startScriptedServer(async (peer) => {
    const get = await peer.next();
    await sleep(700);
    await peer.write(answer(get));
  });
  const { said } = await exit("waits", server.address);
  assert.match(said[0] as string, /^done/);
  assert.equal(said[1], valueOf("k"));
});

test("exit without close(): a probe keeps no process alive, whatever it meets", async () => {
  const refusing = `127.0.0.1:${await freePort()}`;
  await using silent = await startScriptedServer(() => {}, { dialect: "none" });
  for (const [address, said] of [[refusing, "SERVER_DOWN"], [silent.address, "SERVER_DOWN"]]) {
    const ended = await exit("forgets while a probe looks", address as string);
    assert.equal(ended.said[0], said);
    assert.ok(ended.ms < 10_000, `${ended.ms} ms`);
  }
});

test("exit without close(): a connection that a probe has made keeps no process alive", async () => {
  for (const host of ["127.0.0.1", "localhost"]) {
    // The server refuses the first connection, and accepts the probe's.
    await using server = await startScriptedServer((peer) =>
      peer.index === 0 ? peer.end() : behave(peer)
    );
    const ended = await exit("forgets after a probe came through", `${host}:${server.port}`);
    assert.deepEqual(ended.said.slice(0, 2), ["SERVER_DOWN", "down"]);
    assert.ok(ended.ms < 10_000, `${ended.ms} ms by ${host}`);
  }
});

// Looking for servers never keeps a process alive; a call that waits for them does.
import assert from "node:assert/strict";
import { test } from "node:test";
import { runInChild } from "../support/child.ts";
import { startDns } from "../support/dns_server.ts";
import { startScriptedServer } from "../support/scripted_server.ts";
import { announce, startNode } from "./watching.ts";
import { atBest } from "../support/at_best.ts";

const SCRIPT = new URL("./exit_script.ts", import.meta.url);
/** Ending a process that has nothing left to do can take this long on a busy machine. */
const AT_ONCE = 900;

function assertEnds(what: string, ...args: string[]): Promise<void> {
  return atBest(() => assertEndsNow(what, args));
}

async function assertEndsNow(what: string, args: string[]): Promise<void> {
  const { code, stdout, stderr } = await runInChild(SCRIPT, { args, limit: 20_000 });
  const end = Date.now();
  assert.notEqual(stdout, "", `it ended with ${code} and without a word ${stderr}`);
  const told = JSON.parse(stdout) as { what: string; at: number };
  assert.deepEqual([told.what, code], [what, 0], stderr);
  assert.ok(end - told.at < AT_ONCE, `it lingered for ${end - told.at} ms`);
}

test("ElastiCache: between two questions, and in the middle of one", async () => {
  const node = await startNode("node.fleet", "127.0.0.1");
  announce(node.server, 1, [node]);
  node.server.slow({ latency: 150 });
  await assertEnds("stored", "elasticache", node.server.address);
  await node.server.stop();
});

test("ElastiCache: an endpoint that never answers", async () => {
  await using silent = await startScriptedServer(async (peer) => {
    for (;;) await peer.next();
  });
  await assertEnds("SERVER_DOWN", "silent", silent.address);
});

test("DNS", async () => {
  const node = await startNode("", "127.0.0.1");
  await using server = await startDns();
  server.set("cache.fleet", "A", [node.ip]);
  await assertEnds("stored", "dns", server.address, "cache.fleet", String(node.port));
  await node.server.stop();
});

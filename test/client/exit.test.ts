// How processes end: at once after close(), by themselves if the client is forgotten, and not before a
// pending call has settled.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { MemcachedOptions } from "../../mod.ts";
import { makeAuthority } from "../support/certificates.ts";
import { runInChild } from "../support/child.ts";
import { startMemcached } from "../support/memcached.ts";
import { type ScriptedServer, startScriptedServer } from "../support/scripted_server.ts";
import { together } from "../support/together.ts";

const SCRIPT = new URL("./exit_script.ts", import.meta.url);
/** A busy machine takes this long to end a process that has nothing left to do. */
const AT_ONCE = 900;

interface Ended {
  readonly what: unknown;
  /** From its last word to its end, ms. */
  readonly lingered: number;
}

async function runToEnd(
  mode: string,
  address: string,
  options: MemcachedOptions = {},
): Promise<Ended> {
  const args = [mode, address, JSON.stringify(options)];
  const { code, stdout, stderr } = await runInChild(SCRIPT, { args, limit: 20_000 });
  const end = Date.now();
  assert.equal(code, 0, `${mode}: ${stderr}${stdout}`);
  const last = stdout.trim().split("\n").at(-1) ?? "";
  assert.notEqual(last, "", `${mode}: it ended without a word`);
  const { what, at } = JSON.parse(last) as { what: unknown; at: number };
  return { what, lingered: end - at };
}

async function assertEnds(
  mode: string,
  what: string,
  ...where: [string, MemcachedOptions?]
): Promise<void> {
  const ended = await runToEnd(mode, ...where);
  assert.equal(ended.what, what, mode);
  assert.ok(ended.lingered < AT_ONCE, `${mode}: it lingered for ${ended.lingered} ms`);
}

describe("a process", () => {
  let silent: ScriptedServer;

  before(async () => {
    // Accepts, and answers nothing after the handshake.
    silent = await startScriptedServer(async (peer) => {
      for (;;) await peer.next();
    });
  });
  after(() => silent.stop());

  const cases = together({
    "that calls close() ends at once, one that forgets to does by itself": async () => {
      await using server = await startMemcached();
      await assertEnds("close", "closed", server.address);
      await assertEnds("forget", "forgotten", server.address);
      await assertEnds("forget", "forgotten", server.address, { protocol: "classic" });
    },

    "does so over TLS": async () => {
      using authority = makeAuthority();
      await using server = await startMemcached({ tls: authority.issue(["IP:127.0.0.1"]) });
      const options = { tls: { rejectUnauthorized: false } };
      await assertEnds("close", "closed", server.address, options);
      await assertEnds("forget", "forgotten", server.address, options);
    },

    "that never used its client, or found the server down, ends": async () => {
      await assertEnds("unused", "unused", "127.0.0.1:1");
      await assertEnds("down", "SERVER_DOWN", "127.0.0.1:1");
    },

    // Would it end before, it would have said nothing.
    "is kept alive by a pending call": async () => {
      const options = { timeout: 300 };
      await assertEnds("pending", "TIMEOUT", silent.address, options);
      await assertEnds("pending many", "TIMEOUT", silent.address, options);
    },

    "is kept alive by a pending command, and by an update's function": async () => {
      await using server = await startMemcached();
      const options = { timeout: 300 };
      await assertEnds("pending stats", "TIMEOUT", silent.address, options);
      await assertEnds("pending update", "TIMEOUT", server.address, options);
    },

    "is kept alive while it connects": async () => {
      await using mute = await startScriptedServer(async (peer) => {
        await peer.next();
      }, { dialect: "none" });
      await assertEnds("pending", "TIMEOUT", mute.address, { timeout: 300, connectTimeout: 5_000 });
    },
  });
  for (const [name, run] of cases) test(name, run);
});

// How processes end: at once after close(), by themselves if the client is forgotten, but never before a
// pending call has settled.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import type { MemcachedOptions } from "../../mod.ts";
import { makeAuthority } from "../support/certificates.ts";
import { runInChild } from "../support/child.ts";
import { startMemcached } from "../support/memcached.ts";
import { startScriptedServer } from "../support/scripted_server.ts";
import { together } from "../support/together.ts";
import { atBest } from "../support/at_best.ts";

const SCRIPT = new URL("./exit_script.ts", import.meta.url);
/** How long a busy machine may take to end a process that has nothing left to do, in ms. */
const AT_ONCE = 900;

type Target = readonly [address: string, options?: MemcachedOptions];

/** Checks that the script prints `what`, and that its process then ends by itself. */
function assertEnds(mode: string, what: string, ...targets: Target[]): Promise<void> {
  return atBest(() => assertEndsNow(mode, what, targets));
}

async function assertEndsNow(mode: string, what: string, targets: Target[]): Promise<void> {
  const args = [
    mode,
    ...targets.map(([address, options = {}]) => JSON.stringify([address, options])),
  ];
  const { code, stdout, stderr } = await runInChild(SCRIPT, { args, limit: 20_000 });
  const end = Date.now();
  const last = stdout.trim().split("\n").at(-1) ?? "";
  assert.notEqual(last, "", `it ended with ${code} and without a word ${stderr}`);
  const told = JSON.parse(last) as { what: unknown; at: number };
  assert.deepEqual([told.what, code], [what, 0], stderr);
  assert.ok(end - told.at < AT_ONCE, `it lingered for ${end - told.at} ms`);
}

/** Starts one server without TLS and one with it. */
async function withServers(run: (...targets: Target[]) => Promise<void>): Promise<void> {
  using authority = makeAuthority();
  await using plain = await startMemcached();
  await using secure = await startMemcached({ tls: authority.issue(["IP:127.0.0.1"]) });
  const tls = { ca: readFileSync(authority.ca, "utf8") };
  await run([plain.address], [plain.address, { protocol: "classic" }], [secure.address, { tls }]);
}

describe("a process", () => {
  const cases = together({
    "that calls close() ends at once": () =>
      withServers((...targets) => assertEnds("close", "closed", ...targets)),

    "that forgets to is not kept alive by idle connections": () =>
      withServers((...targets) => assertEnds("forget", "forgotten", ...targets)),

    "is not kept alive by probes of a server that is down": () =>
      assertEnds("down", "SERVER_DOWN", ["127.0.0.1:1"]),

    // If it ended before its calls have settled, it would print nothing.
    "is kept alive by a pending call, whatever it waits for": async () => {
      await using good = await startMemcached();
      // One server answers only the handshake, the other not even that.
      await using silent = await startScriptedServer(async (peer) => {
        for (;;) await peer.next();
      });
      await using mute = await startScriptedServer(async (peer) => {
        await peer.next();
      }, { dialect: "none" });
      const options = { timeout: 200 };
      await assertEnds(
        "pending",
        "TIMEOUT TIMEOUT TIMEOUT TIMEOUT TIMEOUT",
        [silent.address, options],
        [mute.address, { timeout: 200, connectTimeout: 5_000 }],
        [good.address, options],
      );
    },
  });
  for (const [name, run] of cases) test(name, run);
});

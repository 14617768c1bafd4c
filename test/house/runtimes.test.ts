/**
 * Other runtimes read a session that this one has saved, and the other way round.
 *
 * The others are those in `$MEMWIRE_RUNTIMES` (paths separated by colons), or else node, deno and bun if they
 * are on PATH. CI gives four runtimes, and this test runs in each of them.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { basename, delimiter } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { findProgram } from "../support/find_memcached.ts";
import { startMemcached } from "../support/memcached.ts";
import { read, save } from "./exchange.ts";

const PROGRAM = fileURLToPath(new URL("exchange.ts", import.meta.url));
const LAUNCHER = fileURLToPath(new URL("../support/launch.js", import.meta.url));

function otherRuntimes(): string[] {
  const given = process.env["MEMWIRE_RUNTIMES"];
  if (given) return given.split(delimiter);
  const found = ["node", "deno", "bun"].map((name) => findProgram(name));
  return found.filter((path) => path !== undefined);
}

async function exchangeIn(runtime: string, ...args: string[]): Promise<string> {
  const name = basename(runtime);
  const before = name.startsWith("deno") ? ["run", "-A", "--no-check"] : [];
  if (!name.startsWith("deno") && !name.startsWith("bun")) before.push(LAUNCHER);
  const { stdout } = await promisify(execFile)(runtime, [...before, PROGRAM, ...args]);
  return stdout.trim();
}

test("a session with a Map, a Date, a bigint and a cycle goes between runtimes", async (t) => {
  const server = await startMemcached();
  t.after(() => server.stop());
  const own = await save(server.address);
  await read(server.address, own);
  const runtimes = otherRuntimes();
  assert.ok(runtimes.length > 0, "there is another runtime, if only node itself");
  for (const runtime of runtimes) {
    t.diagnostic(`to and from ${runtime}`);
    await exchangeIn(runtime, "read", server.address, own);
    const theirs = await exchangeIn(runtime, "save", server.address);
    await read(server.address, theirs);
  }
  await assert.rejects(
    exchangeIn(runtimes[0] as string, "read", server.address, "no-such-session"),
  );
});

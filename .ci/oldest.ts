/**
 * A smoke test of the client and the sessions, against a real memcached, in the oldest Deno and Bun that README
 * promises. The test runner itself does not work in them.
 *
 *     deno run -A .ci/oldest.ts
 *     bun run .ci/oldest.ts
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { Memcached, ServerDownError, SessionStore, TimeoutError } from "../mod.ts";

const port = await freePort();
const root = process.getuid?.() === 0 ? ["-u", "root"] : [];
const args = [...root, "-U", "0", "-l", "127.0.0.1", "-p", String(port)];
const server = spawn(process.env["MEMCACHED"] ?? "memcached", args, { stdio: "ignore" });
try {
  const client = new Memcached(`127.0.0.1:${port}`, { timeout: 2_000 });
  await reach(client);
  await values(client);
  await sessions(client);
  await timeouts();
  await client.close();
} finally {
  server.kill();
}
console.log("The client and the sessions work.");

async function reach(client: Memcached): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    try {
      return void await client.version();
    } catch (error) {
      assert.ok(error instanceof ServerDownError);
      await sleep(50);
    }
  }
}

async function values(client: Memcached): Promise<void> {
  const large = new Uint8Array(300_000).fill(7);
  await client.setMany([["object", { a: new Date(1) }], ["text", "tèxt"], ["large", large]]);
  assert.deepEqual(await client.get("object"), { a: new Date(1) });
  const found = await client.getMany(["text", "large", "absent"]);
  assert.equal(found.get("text"), "tèxt");
  assert.deepEqual(new Uint8Array(found.get("large") as Uint8Array), large);
  assert.equal(found.size, 2);
  const counts = Array.from({ length: 500 }, () => client.increment("count", 1, { initial: 1 }));
  assert.equal((await Promise.all(counts)).length, 500);
  assert.equal(await client.get("count"), 500);
  await compressed(client);
  const keys: string[] = [];
  for await (const key of client.keys()) keys.push(key);
  assert.deepEqual(keys.sort(), ["count", "large", "object", "text"]);
}

/** Checks that inflating is bounded and that appended bytes are refused, whatever zlib the runtime has. */
async function compressed(client: Memcached): Promise<void> {
  const address = `127.0.0.1:${port}`;
  const writer = new Memcached(address, { timeout: 2_000, compressAbove: 100 });
  const small = new Memcached(address, { timeout: 2_000, maxValueBytes: 4_999 });
  await writer.set("text", "x".repeat(5_000));
  assert.equal((await client.getItem("text"))?.flags, 24);
  assert.equal(await client.get("text"), "x".repeat(5_000));
  await assert.rejects(small.get("text"), { code: "CORRUPT_VALUE" });
  assert.equal(await client.append("text", "!"), true);
  await assert.rejects(client.get("text"), { code: "CORRUPT_VALUE" });
  await writer.close();
  await small.close();
}

async function sessions(client: Memcached): Promise<void> {
  const store = new SessionStore({ client, secret: "sixteen bytes and more" });
  const session = await store.open();
  session.set("user", "ada");
  assert.equal(await store.storeSession(session), "stored");
  const again = await store.open(session.id);
  assert.equal(again.get("user"), "ada");
  again.regenerate();
  assert.equal(await store.storeSession(again), "stored");
  assert.equal(await store.has(session.id), false);
}

/** A server that accepts connections and never answers. */
async function timeouts(): Promise<void> {
  const silent = createServer();
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const { port } = silent.address() as { port: number };
  const client = new Memcached(`127.0.0.1:${port}`, { timeout: 100, connectTimeout: 1_000 });
  await assert.rejects(client.get("k"), TimeoutError);
  await client.close();
  silent.close();
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}

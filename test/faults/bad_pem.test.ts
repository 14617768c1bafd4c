/** A PEM that is none: TLS cannot even begin, and the server counts as one that is not reached. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Memcached, PartialError, ServerDownError } from "../../mod.ts";
import { freePort } from "../support/memcached.ts";
import { outcome } from "./rig.ts";

const tls = { cert: "garbage", key: "garbage" };

function assertDown(error: unknown, address: string): void {
  assert.ok(error instanceof ServerDownError, String(error));
  assert.equal(error.server?.address, address);
  assert.ok(error.cause instanceof Error);
  assert.equal(error.ambiguous, false);
}

test("a PEM that is none: every call rejects with the cause, and nothing hangs or is thrown later", async () => {
  // Deno says nothing of the PEM and connects: there it is the refused connection that tells.
  const address = `127.0.0.1:${await freePort()}`;
  const thrown: unknown[] = [];
  const take = (error: unknown): unknown => thrown.push(error);
  process.on("uncaughtException", take);
  try {
    for (
      const call of [
        (m: Memcached) => m.stats(),
        (m: Memcached) => m.flushAll(),
        (m: Memcached) => m.keys().next(),
        (m: Memcached) => m.get("k"),
        (m: Memcached) => m.set("k", "v"),
      ]
    ) {
      await using client = new Memcached(address, { tls, timeout: 150 });
      const { error, ms } = await outcome(call(client));
      assertDown(error, address);
      assert.ok(ms < 140, `${call}: ${ms} ms, not by its deadline`);
    }
    await using client = new Memcached(address, { tls, timeout: 150 });
    const { error } = await outcome(client.getMany(["a", "b"]));
    assert.ok(error instanceof PartialError, String(error));
    for (const each of error.errors.values()) assertDown(each, address);
    await sleep(300); // longer than any timer of theirs
  } finally {
    process.off("uncaughtException", take);
  }
  assert.deepEqual(thrown, []);
});

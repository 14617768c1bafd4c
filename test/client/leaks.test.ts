// What must not get into another call, into an error, or out of the process.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { channel } from "node:diagnostics_channel";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { CorruptValueError, Memcached, type Serializer } from "../../mod.ts";
import type { CommandMessage } from "../../src/diagnostics.ts";
import { type MemcachedServer, startMemcached } from "../support/memcached.ts";

describe("leaks", () => {
  let server: MemcachedServer;
  before(async () => void (server = await startMemcached()));
  after(() => server.stop());

  test("a listener that stores does not change what is being stored", async () => {
    await using client = new Memcached(server.address);
    let inner: Promise<void> | undefined;
    let heard = false;
    const store = (message: unknown): void => {
      if (heard || (message as CommandMessage).server.address !== server.address) return;
      heard = true;
      inner = client.set("audit", { user: "eve" });
    };
    channel("memwire:command:start").subscribe(store);
    try {
      await client.set("session:ada", { user: "ada" });
    } finally {
      channel("memwire:command:start").unsubscribe(store);
    }
    await inner;
    assert.deepEqual(await client.get("session:ada"), { user: "ada" });
    assert.deepEqual(await client.get("audit"), { user: "eve" });
  });

  test("what a serializer says of a stored value, of which it may show a piece, is in no error", async () => {
    const serializer: Serializer = {
      serialize: (value) => ({ data: Buffer.from(JSON.stringify(value)), flags: 0 }),
      deserialize: (data) => JSON.parse(Buffer.from(data).toString()),
    };
    await using client = new Memcached(server.address, { serializer });
    await using plain = new Memcached(server.address);
    await plain.set("token", Buffer.from("secret-token-123"));
    const error: unknown = await client.get("token").catch((error: unknown) => error);
    assert.ok(error instanceof CorruptValueError);
    assert.match(error.message, /SyntaxError/);
    assert.doesNotMatch(inspect(error, { depth: 9, showHidden: true }), /secret-token/);
  });

  test("a call that a hashing made impossible is over: its signal may abort later", async () => {
    const hashing = (): { pick(): number; order(): number[] } => ({
      pick: () => 5,
      order: () => [5],
    });
    await using client = new Memcached([server.address, "127.0.0.1:1"], { hashing });
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    process.on("unhandledRejection", note);
    try {
      const controller = new AbortController();
      await assert.rejects(client.get("k", { signal: controller.signal }), RangeError);
      controller.abort();
      await sleep(20);
      assert.deepEqual(unhandled, []);
    } finally {
      process.off("unhandledRejection", note);
    }
  });
});

// What must not leak into another call, into an error, or out of the process.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { channel } from "node:diagnostics_channel";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { CorruptValueError, Memcached, type Serializer } from "../../mod.ts";
import type { CommandMessage } from "../../src/messages.ts";
import { type MemcachedServer, startMemcached } from "../support/memcached.ts";
import { PATIENT } from "../support/patient.ts";

describe("leaks", () => {
  let server: MemcachedServer;
  before(async () => void (server = await startMemcached()));
  after(() => server.stop());

  test("a listener that stores does not change what is being stored", async () => {
    await using client = new Memcached(server.address, PATIENT);
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

  test("a serializer's own error, which may quote a piece of a stored value, is in no error of the client", async () => {
    const serializer: Serializer = {
      serialize: (value) => ({ data: Buffer.from(JSON.stringify(value)), flags: 0 }),
      deserialize: (data) => JSON.parse(Buffer.from(data).toString()),
    };
    await using client = new Memcached(server.address, { serializer });
    await using plain = new Memcached(server.address, PATIENT);
    await plain.set("token", Buffer.from("secret-token-123"));
    const error: unknown = await client.get("token").catch((error: unknown) => error);
    assert.ok(error instanceof CorruptValueError);
    assert.match(error.message, /SyntaxError/);
    assert.doesNotMatch(inspect(error, { depth: 9, showHidden: true }), /secret-token/);
  });

  test("calls of several commands that share a signal have one listener on it", async () => {
    await using client = new Memcached(server.address, PATIENT);
    const controller = new AbortController();
    const { signal } = controller;
    let listeners = 0;
    let most = 0;
    const add = signal.addEventListener.bind(signal) as (...args: unknown[]) => void;
    const remove = signal.removeEventListener.bind(signal) as (...args: unknown[]) => void;
    signal.addEventListener = (...args: unknown[]): void => {
      most = Math.max(most, ++listeners);
      add(...args);
    };
    signal.removeEventListener = (...args: unknown[]): void => {
      listeners--;
      remove(...args);
    };
    const never = new Promise<number>(() => {});
    const updates = Array.from(
      { length: 12 },
      (_, i) => client.update(`shared${i}`, () => never, { signal }),
    );
    const stats = Array.from({ length: 12 }, () => client.stats(undefined, { signal }));
    await Promise.all(stats);
    await sleep(20);
    controller.abort();
    for (const outcome of await Promise.allSettled(updates)) {
      assert.ok(outcome.status === "rejected" && outcome.reason === signal.reason);
    }
    assert.deepEqual([most, listeners], [1, 0]);
  });

  test("a call that failed because of its hashing is over, and its signal may abort later", async () => {
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

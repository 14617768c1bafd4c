/** Bytes that a call returns are a plain Uint8Array over a buffer of their own, whichever method it is. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import { Memcached, type Serializer } from "../../../mod.ts";
import { assertOwnBytes, assertPlain } from "../../support/own_bytes.ts";
import type { Part } from "./stage.ts";

// Sizes on both sides of each threshold: what engines keep inside an object, Buffer's pool, what gets a buffer
// of its own when it is read (16 KiB), and what is sent without a copy (64 KiB).
const SIZES = [0, 1, 64, 65, 300, 4_095, 4_096, 16_383, 16_384, 70_000, 300_000];

type Read = (client: Memcached, keys: readonly string[]) => Promise<readonly unknown[]>;

/** The methods that return values, and how each reads these keys. */
const READS: Readonly<Record<string, Read>> = {
  get: (client, keys) => Promise.all(keys.map((key) => client.get(key))),
  getMany: async (client, keys) => [...(await client.getMany(keys)).values()],
  getItem: (client, keys) => Promise.all(keys.map(async (k) => (await client.getItem(k))?.value)),
  getAndTouch: (client, keys) => Promise.all(keys.map((key) => client.getAndTouch(key, 60))),
  update: (client, keys) =>
    Promise.all(keys.map(async (key) => {
      let given: unknown;
      await client.update(key, (current) => void (given = current));
      return given;
    })),
};

// fetching.ts tests these: in classic they cannot tell another client's empty bytes from a stub.
const FETCHES = ["fetch", "fetchMany"];

// Methods that never return a value of a key.
const NO_VALUES = [
  ...["has", "set", "setMany", "add", "replace", "append", "prepend", "cas", "delete", "touch"],
  ...["compareAndDelete", "deleteMany", "increment", "decrement", "flushAll", "stats", "keys"],
  ...["invalidate", "lock", "version", "serverFor", "setServers", "close", "constructor"],
];

export const ownBytes: Part = (on) => {
  test("this file knows of every method whether it returns values", () => {
    const names = Object.getOwnPropertyNames(Memcached.prototype);
    const known = [...Object.keys(READS), ...FETCHES, ...NO_VALUES];
    assert.deepEqual(names.filter((name) => !known.includes(name)), []);
  });

  for (const [name, read] of Object.entries(READS)) {
    test(`${name}: bytes are the caller's alone`, async () => {
      const { client, key } = on();
      const stored = SIZES.map((size) => new Uint8Array(size).fill(size & 0xff));
      const keys = stored.map(key);
      await client.setMany(keys.map((k, i) => [k, stored[i]] as const));
      const once = await read(client, keys);
      const again = await read(client, keys);
      assert.deepEqual(once, stored);
      assert.deepEqual(again, stored);
      for (const value of [...once, ...again]) assertPlain(value);
      const slice = (once[2] as Uint8Array).slice();
      slice.fill(99);
      assert.deepEqual(once[2], stored[2]);
      assert.equal(assertOwnBytes([...once, ...again]), 2 * SIZES.length);
    });

    test(`${name}: bytes that were compressed, in an object, or given to a serializer`, async () => {
      const { client, key, plant } = on();
      const given: unknown[] = [];
      const serializer: Serializer = {
        serialize: (value) => ({ data: value as Uint8Array, flags: 3 }),
        deserialize: (data) => given[given.push(data) - 1],
      };
      const serialized = on().connect({ serializer });
      const values: unknown[] = [];
      for (const size of SIZES.slice(0, -1)) {
        const bytes = new Uint8Array(size).fill(7);
        const [compressed, object, own] = [key(), key(), key()];
        await plant(compressed, deflateSync(bytes), 8);
        const inside = {
          bytes,
          buffer: Uint8Array.from(bytes).buffer,
          node: Buffer.from(bytes),
          doubles: new Float64Array(size >> 3),
          view: new DataView(Uint8Array.from(bytes).buffer),
        };
        await client.set(object, [inside, new Map([["again", bytes.slice()]])]);
        await serialized.set(own, bytes);
        const [inflated] = await read(client, [compressed]);
        assertPlain(inflated);
        assert.deepEqual(inflated, bytes);
        const [nested] = await read(client, [object]);
        assert.deepEqual(nested, [inside, new Map([["again", bytes.slice()]])]);
        const [deserialized] = await read(serialized, [own]);
        assertPlain(deserialized);
        assert.deepEqual(deserialized, bytes);
        values.push(inflated, nested);
      }
      assert.equal(given.length, SIZES.length - 1);
      assert.equal(assertOwnBytes([...values, ...given]), given.length * (1 + 6 + 1));
    });
  }

  test("one key asked for by several at once: bytes for each", async () => {
    const { client, key } = on();
    for (const size of SIZES) {
      const k = key();
      const bytes = new Uint8Array(size).fill(5);
      await client.set(k, bytes);
      const found = await Promise.all([client.get(k), client.get(k), client.get(k)]);
      assert.deepEqual(found, [bytes, bytes, bytes]);
      found.forEach(assertPlain);
      assert.equal(assertOwnBytes(found), 3);
    }
  });
};

/** get, getItem, getAndTouch, has and touch. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { assertTtl, type Part } from "./stage.ts";

const DAY = 86_400;

export const reading: Part = (on) => {
  test("get: the value, or undefined when absent", async () => {
    const { client, key } = on();
    const [there, absent] = [key(), key()];
    await client.set(there, "hello");
    assert.equal(await client.get<string>(there), "hello");
    assert.equal(await client.get(absent), undefined);
  });

  test("get: every stored value differs from an absent one", async () => {
    const { client, key } = on();
    const absent = key();
    for (const value of [null, "", 0, false, NaN, new Uint8Array(0)]) {
      const there = key();
      await client.set(there, value);
      assert.notEqual(await client.get(there), undefined);
      assert.equal(await client.has(there), true);
    }
    assert.equal(await client.has(absent), false);
  });

  test("get: one key asked for many times in a tick is there every time", async () => {
    const { client, key } = on();
    const [a, b, absent] = [key(), key(), key()];
    const large = new Uint8Array(30_000).fill(1);
    await client.setMany([[a, "A"], [b, large]]);
    const orders = [[a, b, a], [a, a, b, a, absent, a], [absent, b, absent, b], [b, b, a, absent]];
    for (const order of [...orders, ...orders]) {
      const found = await Promise.all(order.map((k) => client.get<string | Uint8Array>(k)));
      found.forEach((value, i) => {
        if (order[i] === a) assert.equal(value, "A");
        else if (order[i] === absent) assert.equal(value, undefined);
        else {
          assert.deepEqual(Buffer.from(value as Uint8Array).equals(large), true);
          (value as Uint8Array).fill(i); // changes nobody else's value
        }
      });
    }
  });

  test("has: true for a value that cannot be read, and for a large one", async () => {
    const { client, key, plant } = on();
    const [unreadable, large] = [key(), key()];
    await plant(unreadable, "?", 1);
    await client.set(large, "x".repeat(500_000));
    assert.deepEqual(
      await Promise.all([client.has(unreadable), client.has(large), client.has(key())]),
      [true, true, false],
    );
  });

  test("getItem: value, token, flags and TTL", async () => {
    const { client, key, dialect } = on();
    const k = key();
    assert.equal(await client.getItem(k), undefined);
    await client.set(k, "hello");
    const item = await client.getItem<string>(k);
    assert.ok(item !== undefined);
    assert.deepEqual({ ...item, cas: 0n }, {
      value: "hello",
      cas: 0n,
      flags: 16,
      ttl: dialect === "meta" ? Infinity : undefined,
    });
    assert.equal(typeof item.cas, "bigint");
    assert.ok(item.cas > 0n);
    await client.set(k, "hello", { ttl: 100 });
    const again = await client.getItem(k);
    assert.ok(again !== undefined && again.cas > item.cas, "each write has a token of its own");
    if (dialect === "meta") assertTtl(again.ttl, 100);
    else assert.equal(again.ttl, undefined);
  });

  test("getItem: an empty value is an item", async () => {
    const { client, key } = on();
    const k = key();
    await client.set(k, "");
    assert.equal((await client.getItem(k))?.value, "");
  });

  test("getItem with touch: sets a new TTL, and returns it", async () => {
    const { client, key, ttl } = on();
    const k = key();
    assert.equal(await client.getItem(k, { touch: 60 }), undefined);
    await client.set(k, "hello", { ttl: 1000 });
    const { cas } = await client.getItem(k) ?? {};
    for (
      const [touch, expected] of [
        [60, 60],
        [1.5, 2],
        [30 * DAY, 30 * DAY],
        [31 * DAY, 31 * DAY],
        [0, Infinity],
        [Infinity, Infinity],
      ] as const
    ) {
      const item = await client.getItem<string>(k, { touch });
      assert.equal(item?.value, "hello");
      assertTtl(item?.ttl, expected);
      assertTtl(await ttl(k), expected);
      assert.equal(item?.cas, cas, "touching is not writing");
    }
  });

  test("getAndTouch: the value, with a new TTL", async () => {
    const { client, key, ttl } = on();
    const k = key();
    assert.equal(await client.getAndTouch(k, 60), undefined);
    await client.set(k, { a: 1 });
    for (const [seconds, expected] of [[60, 60], [31 * DAY, 31 * DAY], [0, Infinity]] as const) {
      assert.deepEqual(await client.getAndTouch(k, seconds), { a: 1 });
      assertTtl(await ttl(k), expected);
    }
  });

  test("touch: true and a new TTL, or false", async () => {
    const { client, key, ttl } = on();
    const k = key();
    assert.equal(await client.touch(k, 60), false);
    await client.set(k, "hello");
    for (
      const [seconds, expected] of [
        [60, 60],
        [0.005, 1],
        [2_592_000, 2_592_000],
        [2_592_001, 2_592_001],
        [Infinity, Infinity],
      ] as const
    ) {
      assert.equal(await client.touch(k, seconds), true);
      assertTtl(await ttl(k), expected);
    }
    assert.equal(await client.get(k), "hello");
  });

  test("keys that look like something else are keys", async () => {
    const { client } = on();
    const keys = ["__proto__", "constructor", "toString", "a$$b", "$&", "get", "END", "VALUE", "0"];
    keys.push(
      "é".repeat(125),
      "€",
      "😀",
      "k".repeat(250),
      "a%20b",
      "a/b?c=d#e",
      "~!@#()[]{}\\\"'`",
    );
    for (const key of keys) {
      assert.equal(await client.get(key), undefined, key);
      await client.set(key, `value of ${key}`);
    }
    for (const key of keys) assert.equal(await client.get(key), `value of ${key}`);
    const found = await client.getMany(keys);
    assert.deepEqual([...found], keys.map((key) => [key, `value of ${key}`]));
    for (const key of keys) assert.equal(await client.delete(key), true);
  });

  test("a prefix is put before every key, and taken off in results", async () => {
    const { client, key } = on();
    const prefixed = on().connect({ prefix: "app:é:" });
    const k = key();
    await prefixed.set(k, 1);
    assert.equal(await client.get(k), undefined);
    assert.equal(await client.get(`app:é:${k}`), 1);
    assert.equal(await prefixed.get(k), 1);
    assert.deepEqual(await prefixed.getMany([k, "other"]), new Map([[k, 1]]));
    assert.equal(await prefixed.increment(k), 2n);
    await prefixed.setMany([[k, "x"]]);
    assert.equal((await prefixed.getItem(k))?.value, "x");
    assert.deepEqual(
      await prefixed.deleteMany([k, "other"]),
      new Map([[k, true], ["other", false]]),
    );
    assert.equal(await client.has(`app:é:${k}`), false);
  });
};

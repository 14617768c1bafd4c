/** set, add, replace, append, prepend, cas, delete and compareAndDelete. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { assertTtl, type Part } from "./stage.ts";

export const storing: Part = (on) => {
  test("set: stores whatever was there, flags and TTL with it", async () => {
    const { client, key, ttl } = on();
    const k = key();
    assert.equal(await client.set(k, "first", { ttl: 100 }), undefined);
    assertTtl(await ttl(k), 100);
    assert.equal(await client.set(k, 2), undefined);
    assert.equal(await client.get(k), 2);
    assert.equal(await ttl(k), Infinity);
  });

  test("every ttl reaches the server correctly", async () => {
    const { client, key, ttl } = on();
    for (
      const [seconds, expected] of [
        [0, Infinity],
        [Infinity, Infinity],
        [0.005, 1],
        [99.5, 100],
        [2_592_000, 2_592_000],
        [2_592_001, 2_592_001],
        [31 * 86_400, 31 * 86_400],
      ] as const
    ) {
      const k = key();
      await client.set(k, "x", { ttl: seconds });
      assertTtl(await ttl(k), expected);
    }
  });

  test("add: stores if absent", async () => {
    const { client, key, ttl } = on();
    const k = key();
    assert.equal(await client.add(k, "first", { ttl: 100 }), true);
    assertTtl(await ttl(k), 100);
    assert.equal(await client.add(k, "second"), false);
    assert.equal(await client.get(k), "first");
  });

  test("replace: stores if there", async () => {
    const { client, key, ttl } = on();
    const k = key();
    assert.equal(await client.replace(k, "first"), false);
    assert.equal(await client.get(k), undefined);
    await client.set(k, "first");
    assert.equal(await client.replace(k, 2, { ttl: 100 }), true);
    assert.equal(await client.get(k), 2);
    assertTtl(await ttl(k), 100);
  });

  test("append and prepend: text or bytes, TTL and flags as they were", async () => {
    const { client, key, ttl } = on();
    const k = key();
    assert.equal(await client.append(k, "x"), false);
    assert.equal(await client.prepend(k, "x"), false);
    assert.equal(await client.get(k), undefined);
    await client.set(k, "b", { ttl: 100 });
    assert.equal(await client.append(k, "ç\r\n"), true);
    assert.equal(await client.prepend(k, Buffer.from("a\r\n")), true);
    assert.equal(await client.append(k, ""), true);
    assert.equal(await client.get(k), "a\r\nbç\r\n");
    assertTtl(await ttl(k), 100);
    const bytes = key();
    await client.set(bytes, Uint8Array.of(1));
    assert.equal(await client.append(bytes, Uint8Array.of(2, 0, 255)), true);
    assert.deepEqual(await client.get(bytes), Uint8Array.of(1, 2, 0, 255));
  });

  test("cas: stored, exists or missing", async () => {
    const { client, key, ttl } = on();
    const k = key();
    await client.set(k, 1);
    const item = await client.getItem(k);
    assert.ok(item !== undefined);
    assert.equal(await client.cas(k, 2, item.cas, { ttl: 100 }), "stored");
    assertTtl(await ttl(k), 100);
    assert.equal(await client.cas(k, 3, item.cas), "exists");
    assert.equal(await client.cas(k, 3, 2n ** 64n - 1n), "exists");
    assert.equal(await client.get(k), 2);
    await client.delete(k);
    assert.equal(await client.cas(k, 3, item.cas), "missing");
    assert.equal(await client.get(k), undefined);
  });

  test("delete: true if it was there", async () => {
    const { client, key } = on();
    const k = key();
    assert.equal(await client.delete(k), false);
    await client.set(k, 1);
    assert.equal(await client.delete(k), true);
    assert.equal(await client.get(k), undefined);
    assert.equal(await client.delete(k), false);
  });

  test("compareAndDelete: deleted, exists or missing", async () => {
    const { client, key } = on();
    const k = key();
    await client.set(k, 1);
    const old = await client.getItem(k);
    await client.set(k, 2);
    const now = await client.getItem(k);
    assert.ok(old !== undefined && now !== undefined);
    assert.equal(await client.compareAndDelete(k, old.cas), "exists");
    assert.equal(await client.get(k), 2);
    assert.equal(await client.compareAndDelete(k, now.cas), "deleted");
    assert.equal(await client.get(k), undefined);
    assert.equal(await client.has(k), false);
    assert.equal(await client.touch(k, 60), false);
    assert.equal(await client.compareAndDelete(k, now.cas), "missing");
    assert.equal(await client.add(k, 3), true, "the key is free again");
  });

  test("calls made in one tick are done in their order", async () => {
    const { client, key } = on();
    const k = key();
    const outcomes = await Promise.all([
      client.get(k),
      client.add(k, "a"),
      client.append(k, "b"),
      client.get(k),
      client.delete(k),
      client.get(k),
      client.replace(k, "c"),
      client.set(k, "d"),
      client.get(k),
    ]);
    assert.deepEqual(outcomes, [
      ...[undefined, true, true, "ab", true, undefined, false],
      ...[undefined, "d"],
    ]);
  });

  test("thousands of calls in one tick each get their own", async () => {
    const { client, key } = on();
    const names = Array.from({ length: 1_000 }, key);
    await Promise.all(names.map((name, i) => client.set(name, `${name} ${"x".repeat(i % 700)}`)));
    const found = await Promise.all(names.map((name) => client.get(name)));
    found.forEach((value, i) => assert.equal(value, `${names[i]} ${"x".repeat(i % 700)}`));
  });
};

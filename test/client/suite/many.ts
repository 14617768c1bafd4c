/** getMany, setMany and deleteMany. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { CorruptValueError, PartialError, SerializationError } from "../../../mod.ts";
import { assertTtl, type Part } from "./stage.ts";

export const many: Part = (on) => {
  test("getMany: the values that were found, in a Map by key", async () => {
    const { client, key } = on();
    const [a, b, absent, empty] = [key(), key(), key(), key()];
    await Promise.all([client.set(a, "A"), client.set(b, { b: 2 }), client.set(empty, "")]);
    const found = await client.getMany([b, absent, a, empty]);
    assert.ok(found instanceof Map);
    assert.deepEqual(found, new Map<string, unknown>([[a, "A"], [b, { b: 2 }], [empty, ""]]));
    assert.equal(found.has(absent), false);
    assert.deepEqual(await client.getMany([absent]), new Map());
  });

  test("getMany: duplicates, any iterable, no keys", async () => {
    const { client, key } = on();
    const [a, b] = [key(), key()];
    await client.setMany([[a, 1], [b, 2]]);
    const expected = new Map([[a, 1], [b, 2]]);
    assert.deepEqual(await client.getMany([a, b, a, b, a]), expected);
    assert.deepEqual(await client.getMany(new Set([a, b])), expected);
    assert.deepEqual(await client.getMany(expected.keys()), expected);
    assert.deepEqual(await client.getMany([]), new Map());
  });

  test("setMany and deleteMany: nothing to do, duplicates, any iterable", async () => {
    const { client, key, ttl } = on();
    const [a, b, c] = [key(), key(), key()];
    assert.equal(await client.setMany([]), undefined);
    assert.deepEqual(await client.deleteMany([]), new Map());
    assert.equal(await client.setMany([[a, 1], [b, 2], [a, 3]], { ttl: 100 }), undefined);
    assert.deepEqual(await client.getMany([a, b]), new Map([[a, 3], [b, 2]]));
    assertTtl(await ttl(a), 100);
    await client.setMany(new Map([[c, "see"]]));
    assert.equal(await client.get(c), "see");
    const deleted = await client.deleteMany(new Set([a, "nowhere", b, c]));
    assert.deepEqual([...deleted], [[a, true], ["nowhere", false], [b, true], [c, true]]);
    assert.deepEqual(await client.deleteMany([a, a]), new Map([[a, false]]));
  });

  test("many keys, many values, small and large", async () => {
    const { client, key } = on();
    const entries = new Map(Array.from({ length: 1_500 }, (_, i) => {
      const length = i % 300 === 0 ? 40_000 + i : i % 90;
      return [key(), `${i}:${"v".repeat(length)}`];
    }));
    await client.setMany(entries);
    const keys = [...entries.keys()];
    const asked = keys.flatMap((name) => [name, `no ${name}`.replace(" ", "-")]);
    const found = await client.getMany(asked);
    assert.equal(found.size, entries.size);
    for (const [name, value] of entries) assert.ok(found.get(name) === value, name);
    const deleted = await client.deleteMany(asked);
    assert.equal([...deleted.values()].filter(Boolean).length, entries.size);
    assert.deepEqual([...deleted.keys()], asked);
    assert.equal((await client.getMany(keys)).size, 0);
  });

  test("calls past the bounds of a connection go in portions", async () => {
    const { key } = on();
    for (
      const bounds of [
        { maxPending: 10 },
        { maxPendingBytes: 4_000 },
        { maxPending: 1 },
        { maxPending: 7, maxPendingBytes: 1_000 },
      ]
    ) {
      const small = on().connect(bounds);
      const entries = new Map(Array.from({ length: 120 }, (_, i) => [key(), "v".repeat(i)]));
      await small.setMany(entries);
      assert.deepEqual(await small.getMany(entries.keys()), entries);
      const deleted = await small.deleteMany(entries.keys());
      assert.ok([...deleted.values()].every(Boolean));
    }
  });

  test("getMany: a value that cannot be read fails alone", async () => {
    const { client, key, plant } = on();
    const [good, bad, also] = [key(), key(), key()];
    await Promise.all([client.set(good, 1), plant(bad, "?", 1), client.set(also, 2)]);
    await assert.rejects(client.getMany([good, bad, also]), (error) => {
      assert.ok(error instanceof PartialError);
      assert.equal(error.code, "PARTIAL");
      assert.deepEqual(error.results, new Map([[good, 1], [also, 2]]));
      assert.deepEqual([...error.errors.keys()], [bad]);
      const reason = error.errors.get(bad);
      assert.ok(reason instanceof CorruptValueError && reason.flags === 1);
      assert.equal(error.cause, reason);
      // A log of it shows no key.
      const text = inspect(error, { depth: 9, showHidden: true }) + JSON.stringify(error) +
        error.message;
      assert.ok(!text.includes(good) && !text.includes(bad), text);
      return true;
    });
  });

  test("a wrong key or value among many: nothing is sent for any", async () => {
    const { client, key } = on();
    const [a, b] = [key(), key()];
    await client.set(b, "old");
    await assert.rejects(client.setMany([[a, 1], ["a b", 2]]), TypeError);
    await assert.rejects(client.setMany([[a, 1], [b, undefined]]), TypeError);
    await assert.rejects(client.setMany([[a, 1], [b, (): void => {}]]), SerializationError);
    await assert.rejects(client.setMany([[a, 1], [b, 2]], { ttl: -1 }), RangeError);
    await assert.rejects(client.deleteMany([b, ""]), TypeError);
    await assert.rejects(client.getMany([b, "\n"]), TypeError);
    assert.deepEqual(await client.getMany([a, b]), new Map([[b, "old"]]));
  });
};

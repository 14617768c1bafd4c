import assert from "node:assert/strict";
import { test } from "node:test";
import { CorruptValueError } from "../../mod.ts";
import { deserialize, serialize } from "../../src/v8/mod.ts";
import { describeDialects, type Fields, someId } from "./stores.ts";

// Webware's own test suite, under its names: getItem, setItem, delItem, contains, setDefault, pop, get. Where
// Webware raises KeyError, memwire returns undefined or false.
describeDialects("values by id", (stores) => {
  test("getItem: the stored value, or undefined if there is none", async () => {
    const store = stores.make();
    const id = someId();
    assert.equal(await store.get(id), undefined);
    await store.set(id, { foo: "bar", list: [1, 2] });
    assert.deepEqual(await store.get(id), { foo: "bar", list: [1, 2] });
    assert.equal(await store.get(`${id}x`), undefined);
  });

  test("setItem: under namespace and id, in V8's format, with the store's ttl", async () => {
    const store = stores.make<unknown>({ ttl: 120 });
    const id = someId();
    await store.set(id, { foo: "bar" });
    const stored = await stores.stored(stores.namespace + id);
    assert.equal(stored?.flags, 256);
    assert.deepEqual(deserialize(stored.bytes), { foo: "bar" });
    await stores.assertTtl(store.mcKey(id), 120);
    await store.set(id, "another", { ttl: 20 });
    assert.equal(await store.get(id), "another");
    await stores.assertTtl(store.mcKey(id), 20);
  });

  test("setItem: values of every kind come back as they were", async () => {
    const store = stores.make<unknown>();
    const cycle: Fields = { name: "cycle" };
    cycle["self"] = cycle;
    const values: unknown[] = [
      null,
      0,
      -0,
      "",
      "text \u{1f600}",
      true,
      2n ** 70n,
      new Date(1_700_000_000_000),
      new Map([["a", new Set([1])]]),
      [1, , 3], // deno-lint-ignore no-sparse-arrays
      new Uint8Array([0, 13, 10, 255]),
      cycle,
    ];
    for (const value of values) {
      const id = someId();
      await store.set(id, value);
      assert.deepEqual(await store.get(id), value);
    }
  });

  test("a stored null is a value", async () => {
    const store = stores.make<null | number>();
    const id = someId();
    await store.set(id, null);
    assert.equal(await store.get(id), null);
    assert.equal(await store.has(id), true);
    assert.equal(await store.setDefault(id, 5), null);
    assert.equal(await store.pop(id), null);
    assert.equal(await store.has(id), false);
  });

  test("undefined is not a value", async () => {
    const store = stores.make<unknown>();
    const refused = { name: "TypeError", code: "ERR_INVALID_ARGUMENT" };
    await assert.rejects(store.set("id", undefined), refused);
    await assert.rejects(store.setDefault("id", undefined), refused);
  });

  test("delItem: one delete, true if it was there", async () => {
    const store = stores.make();
    const id = someId();
    assert.equal(await store.delete(id), false);
    await store.set(id, { a: 1 });
    assert.equal(await store.delete(id), true);
    assert.equal(await store.get(id), undefined);
    assert.equal(await store.delete(id), false);
  });

  test("delItem: works for a value that cannot be read", async () => {
    const store = stores.make();
    const id = someId();
    await stores.raw.set(store.mcKey(id), { data: new Uint8Array([1, 2, 3]), flags: 1 });
    await assert.rejects(store.get(id), CorruptValueError);
    await assert.rejects(store.open(id), CorruptValueError);
    assert.equal(await store.has(id), true);
    assert.equal(await store.delete(id), true);
    assert.equal(await store.get(id), undefined);
  });

  test("contains", async () => {
    const store = stores.make();
    const id = someId();
    assert.equal(await store.has(id), false);
    await store.set(id, {});
    assert.equal(await store.has(id), true);
  });

  test("setDefault: the stored value, or else the given one", async () => {
    const store = stores.make<unknown>({ ttl: 60 });
    const id = someId();
    assert.equal(await store.setDefault(id, "first", { ttl: 30 }), "first");
    assert.equal(await store.setDefault(id, "second"), "first");
    assert.equal(await store.get(id), "first");
    await stores.assertTtl(store.mcKey(id), 30);
  });

  test("setDefault: all callers get the same", async () => {
    const id = someId();
    const callers = Array.from({ length: 12 }, (_, i) => stores.make<number>().setDefault(id, i));
    const got = new Set(await Promise.all(callers));
    assert.equal(got.size, 1);
  });

  test("pop: removes the value, once", async () => {
    const store = stores.make<unknown>();
    const id = someId();
    assert.equal(await store.pop(id), undefined);
    await store.set(id, [1, 2]);
    assert.deepEqual(await store.pop(id), [1, 2]);
    assert.equal(await store.has(id), false);
    assert.equal(await store.pop(id), undefined);
  });

  test("get: with a default", async () => {
    const store = stores.make<string>();
    const id = someId();
    assert.equal(await store.get(id) ?? "default", "default");
    await store.set(id, "value");
    assert.equal(await store.get(id) ?? "default", "value");
  });

  test("get and has leave the ttl alone, touch sets it", async () => {
    const store = stores.make<number>({ ttl: 500 });
    const id = someId();
    await store.set(id, 1, { ttl: 100 });
    await store.get(id);
    await store.has(id);
    const key = store.mcKey(id);
    await stores.assertTtl(key, 100);
    assert.equal(await store.touch(id), true);
    await stores.assertTtl(key, 500);
    assert.equal(await store.touch(id, 50), true);
    await stores.assertTtl(key, 50);
    assert.equal(await store.touch(id, 0), true);
    await stores.assertTtl(key, Infinity);
    assert.equal(await store.touch(`${id}x`), false);
    assert.equal(await store.get(id), 1);
  });

  test("a foreign value is an error that names its flags", async () => {
    const store = stores.make();
    const id = someId();
    for (const flags of [0, 1, 2, 16, 257, 4096]) {
      await stores.raw.set(store.mcKey(id), { data: serialize({ a: 1 }), flags });
      await assert.rejects(
        store.get(id),
        (error) =>
          error instanceof CorruptValueError && error.flags === flags &&
          error.message.includes(`${flags}`),
      );
    }
  });

  test("the same ids in two namespaces are two values", async () => {
    const one = stores.make<number>({ namespace: `${stores.namespace}one:` });
    const two = stores.make<number>({ namespace: `${stores.namespace}two:` });
    const id = someId();
    await one.set(id, 1);
    assert.equal(await two.get(id), undefined);
    await two.set(id, 2);
    assert.equal(await one.delete(id), true);
    assert.equal(await two.get(id), 2);
  });
});

// The store by itself. Keyv's own suite, and what is built on Keyv, is asked in test/examples/frameworks.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Memcached } from "../../mod.ts";
import { MemwireKeyv } from "../../src/adapters/keyv.ts";
import { freePort, type MemcachedServer, startMemcached } from "../support/memcached.ts";
import { PATIENT } from "../support/patient.ts";

const REFUSED = { name: "TypeError", code: "ERR_INVALID_ARGUMENT" };
const KEYS = ["a", "", "a b", "ns:a", "https://example.org/?q=a b", "x".repeat(400), "é"];

for (const unsafeKeys of ["reject", "hash"] as const) {
  describe(`MemwireKeyv on a client whose unsafeKeys is "${unsafeKeys}"`, () => {
    let server: MemcachedServer;
    let client: Memcached;
    before(async () => {
      server = await startMemcached();
      client = new Memcached(server.address, { prefix: "p:", unsafeKeys, timeout: 10_000 });
    });
    after(async () => {
      await client.close();
      await server.stop();
    });

    async function entriesOf(store: MemwireKeyv): Promise<Map<string, unknown>> {
      const entries = new Map<string, unknown>();
      for await (const [key, value] of store.iterator()) entries.set(key, value);
      return entries;
    }

    test("values come back as they were, under any text", async () => {
      const store = new MemwireKeyv(client, { namespace: "values" });
      const values = ["text", 0, false, null, new Map([["a", new Date(0)]]), [1, 2], { a: 1n }];
      for (const [i, key] of KEYS.entries()) {
        assert.equal(await store.get(key), undefined);
        assert.equal(await store.has(key), false);
        assert.equal(await store.set(key, values[i]), true);
        assert.deepEqual(await store.get(key), values[i]);
        assert.equal(await store.has(key), true);
        assert.equal(await store.delete(key), true);
        assert.equal(await store.delete(key), false);
      }
    });

    test("many at once, in the order of the keys", async () => {
      const store = new MemwireKeyv(client, { namespace: "many" });
      const entries = KEYS.map((key, i) => ({ key, value: i, ttl: i % 2 ? 60_000 : undefined }));
      assert.deepEqual(await store.setMany(entries), KEYS.map(() => true));
      const asked = ["nobody", ...KEYS, "a"];
      const values = KEYS.map((_, i) => i);
      assert.deepEqual(await store.getMany(asked), [undefined, ...values, 0]);
      assert.deepEqual(await store.hasMany(asked), [false, ...KEYS.map(() => true), true]);
      assert.equal(await store.deleteMany(["a", "nobody"]), false);
      assert.equal(await store.deleteMany(KEYS.slice(1)), true);
      assert.deepEqual(await store.getMany(KEYS), KEYS.map(() => undefined));
      assert.deepEqual(await store.setMany([]), []);
      assert.deepEqual(await store.getMany([]), []);
    });

    test("clear and iterator are of the namespace, hashed keys included", async () => {
      const [one, two] = ["one", "two"].map((namespace) => new MemwireKeyv(client, { namespace }));
      assert.ok(one !== undefined && two !== undefined);
      const keys = [...KEYS, ...Array.from({ length: 250 }, (_, i) => `${i} spaced`)];
      await Promise.all(keys.map((key, i) => one.set(key, i)));
      await two.set("a b", "two");
      assert.deepEqual(await entriesOf(one), new Map(keys.map((key, i) => [key, i])));
      await one.clear();
      assert.deepEqual(await entriesOf(one), new Map());
      assert.deepEqual(await entriesOf(two), new Map([["a b", "two"]]));
      assert.equal(await two.get("a b"), "two");
    });

    test("without a namespace clear leaves what is not under the client's prefix", async () => {
      await using other = new Memcached(server.address, PATIENT);
      await other.set("elsewhere", 1);
      const store = new MemwireKeyv(client);
      await store.set("a", 1);
      await store.set("a b", 1);
      await store.clear();
      assert.deepEqual(await store.getMany(["a", "a b"]), [undefined, undefined]);
      assert.equal(await other.get("elsewhere"), 1);
    });

    test("a time to live is exact to the millisecond", async () => {
      const store = new MemwireKeyv(client, { namespace: "ttl" });
      await store.setMany([
        { key: "short", value: 1, ttl: 500 },
        { key: "long", value: 2, ttl: 2800 },
        { key: "over", value: 3, ttl: -1 },
      ]);
      await store.set("none", 4, 1e13);
      await store.set("gone", 5);
      await store.set("gone", 5, 0);
      const keys = ["short", "long", "over", "none", "gone"];
      assert.deepEqual(await store.getMany(keys), [1, 2, undefined, 4, undefined]);
      await sleep(550);
      assert.deepEqual(await store.hasMany(keys), [false, true, false, true, false]);
      assert.equal(await store.get("short"), undefined);
      await sleep(1_650); // 2.2 s: memcached alone may end it after two
      assert.equal(await store.get("long"), 2);
      await sleep(650);
      assert.equal(await store.get("long"), undefined);
      assert.deepEqual(await entriesOf(store), new Map([["none", 4]]));
    });

    test("what somebody else has stored comes as it is", async () => {
      const store = new MemwireKeyv(client, { namespace: "other" });
      await client.set("other:a", "abc");
      assert.equal(await store.get("a"), "abc");
      assert.deepEqual(await entriesOf(store), new Map([["a", "abc"]]));
      for (const list of [[1, 2], ["ada"], ["ada", "eve"], ["ada", null, 3], []]) {
        await client.set("other:list", list);
        assert.deepEqual(await store.get("list"), list);
      }
    });

    test("setMany: if a key comes twice, the last entry counts", async () => {
      const store = new MemwireKeyv(client, { namespace: "twice" });
      const first = { key: "a", value: 1 };
      const over = { key: "a", value: 2, ttl: 0 };
      await store.setMany([over, first]);
      assert.equal(await store.get("a"), 1);
      await store.setMany([first, over]);
      assert.equal(await store.get("a"), undefined);
    });
  });
}

test("MemwireKeyv checks what it is given", async () => {
  await using client = new Memcached();
  for (const options of [{ namespace: 1 }, { namespace: "a b" }, { prefix: "a" }, "a"]) {
    assert.throws(() => new MemwireKeyv(client, options as { namespace: string }), REFUSED);
  }
  assert.throws(() => new MemwireKeyv({} as Memcached), REFUSED);
  const store = new MemwireKeyv(client);
  await assert.rejects(store.delete("\ud800"), REFUSED);
  for (const key of [undefined, null, {}, Symbol("a")] as never[]) {
    await assert.rejects(store.get(key), REFUSED);
    await assert.rejects(store.set(key, 1), REFUSED);
  }
  for (const ttl of ["5000", true, 5n, Symbol("a"), {}] as never[]) {
    await assert.rejects(store.set("a", 1, ttl), REFUSED);
    await assert.rejects(store.setMany([{ key: "a", value: 1, ttl }]), REFUSED);
  }
  await assert.rejects(store.set("a", 1, NaN), { ...REFUSED, name: "RangeError" });
  store.namespace = "n".repeat(206); // Keyv sets it
  await assert.rejects(store.get("a"), REFUSED);
  await assert.rejects(store.clear(), REFUSED);
});

test("what cannot be reached rejects; of many that failed in part the error is emitted", async () => {
  await using server = await startMemcached();
  const down = `127.0.0.1:${await freePort()}`;
  await using client = new Memcached([server.address, down]);
  const store = new MemwireKeyv(client);
  const errors: unknown[] = [];
  assert.equal(store.on("error", (error) => errors.push(error)), store);
  const keys = Array.from({ length: 50 }, (_, i) => `key ${i}`);
  const set = await store.setMany(keys.map((key) => ({ key, value: 1 })));
  assert.ok(set.includes(true) && set.includes(false));
  assert.deepEqual(errors.map((error) => (error as { code?: unknown }).code), ["PARTIAL"]);
  await assert.rejects(store.getMany(keys), { code: "PARTIAL" });
  const lost = keys[set.indexOf(false)] as string;
  const calls = [
    () => store.get(lost),
    () => store.has(lost),
    () => store.set(lost, 1),
    () => store.delete(lost),
  ];
  for (const call of calls) await assert.rejects(call(), { code: "SERVER_DOWN" });
  await assert.rejects(store.setMany([{ key: lost, value: 1 }]), { code: "PARTIAL" });
  await assert.rejects(store.clear());
  assert.equal(errors.length, 1);
});

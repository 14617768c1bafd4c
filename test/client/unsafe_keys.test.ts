// unsafeKeys: "hash": what is sent instead of a key that memcached would not take.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { Memcached, type MemcachedOptions, type PartialError, SessionStore } from "../../mod.ts";
import { safeKey } from "../../src/client/wire_key.ts";
import { freePort, type MemcachedServer, startMemcached } from "../support/memcached.ts";

const REFUSED = { name: "TypeError", code: "ERR_INVALID_ARGUMENT" };

function hash(key: string): string {
  return "#" + createHash("sha256").update(key, "utf8").digest("base64url");
}

describe("a safe key", () => {
  test("is the key itself if memcached takes it", () => {
    for (const key of ["a", "é".repeat(125), "k".repeat(250), "a#b", `#${"x".repeat(42)}`, "#"]) {
      assert.equal(safeKey(key, ""), key);
    }
    assert.equal(safeKey("k".repeat(245), "pre:#"), "pre:#" + "k".repeat(245));
  });

  test("is else the prefix, the longest legal start that has room, and the hash", () => {
    const cases: [key: string, prefix: string, start: string][] = [
      ["", "", ""],
      ["", "p:", ""],
      [" a", "", ""],
      ["a b", "p:", "a"],
      ["a\n", "", "a"],
      ["user:ada@example.org\0", "", "user:ada@example.org"],
      ["https://example.org/?q=a b", "", "https://example.org/?q=a"],
      ["k".repeat(251), "", "k".repeat(206)],
      ["k".repeat(249), "p:", "k".repeat(204)],
      ["é".repeat(126), "", "é".repeat(103)],
      ["a" + "é".repeat(125), "", "a" + "é".repeat(102)],
      ["😀".repeat(63), "", "😀".repeat(51)],
      ["k".repeat(45), "p".repeat(206), ""],
      ["é\x7f", "", "é"],
    ];
    for (const [key, prefix, start] of cases) {
      const safe = safeKey(key, prefix);
      assert.equal(safe, prefix + start + hash(key));
      assert.ok(Buffer.byteLength(safe) <= 250);
    }
  });

  test("nobody can choose a key that is another one's hash", () => {
    const hashed = safeKey("a b", "");
    assert.equal(safeKey(hashed, ""), hashed + hash(hashed));
    assert.equal(safeKey(hash("").slice(0), ""), hash("") + hash(hash("")));
  });

  test("half of a surrogate pair, what is no text, and noreply stay refused", () => {
    for (const key of ["\ud800", "a b\udc00", "noreply", 1, null, undefined, ["a"]]) {
      assert.throws(() => safeKey(key, ""), REFUSED);
    }
    assert.throws(() => safeKey("reply", "no"), REFUSED);
  });
});

for (const protocol of ["meta", "classic"] as const) {
  describe(`unsafeKeys: "hash", ${protocol}`, () => {
    let server: MemcachedServer;
    let client: Memcached;
    const options: MemcachedOptions = { unsafeKeys: "hash", prefix: "p:", protocol };
    before(async () => {
      server = await startMemcached();
      client = new Memcached(server.address, options);
    });
    after(async () => {
      await client.close();
      await server.stop();
    });

    const long = "https://example.org/a page?" + "x".repeat(300);
    const KEYS = ["", "a b", long, "ordinary", "line\r\nset x 0 0 1\r\n1"];

    test("every call finds what another has stored under the caller's key", async () => {
      for (const key of KEYS) {
        await client.set(key, "one");
        assert.equal(await client.get(key), "one");
        assert.equal(await client.has(key), true);
        const { cas = 0n } = await client.getItem(key) ?? {};
        assert.equal(await client.cas(key, "two", cas), "stored");
        assert.equal(await client.add(key, "x"), false);
        assert.equal(await client.append(key, "!"), true);
        assert.equal(await client.prepend(key, "!"), true);
        assert.equal(await client.replace(key, "three"), true);
        assert.equal(await client.touch(key, 60), true);
        assert.equal(await client.getAndTouch(key, 60), "three");
        assert.equal(await client.update(key, (value) => `${value}!`), "three!");
        assert.equal(await client.delete(key), true);
        assert.equal(await client.increment(key, 1, { initial: 5 }), 5n);
        assert.equal(await client.decrement(key), 4n);
        assert.equal(client.serverFor(key).address, server.address);
        const lock = await client.lock(`${key} lock`, { ttl: 5 });
        assert.equal(await client.lock(`${key} lock`, { ttl: 5 }), undefined);
        assert.equal(await lock?.release(), true);
        assert.equal(await client.invalidate(key), true);
        assert.equal(await client.fetch(key, () => "loaded", { ttl: 60 }), "loaded");
        assert.equal(await client.fetch(key, () => assert.fail(), { ttl: 60 }), "loaded");
        assert.equal(await client.invalidate(key), true);
      }
    });

    test("results of many keys come back under the caller's", async () => {
      const entries = new Map(KEYS.map((key, i) => [key, i]));
      await client.setMany(entries);
      assert.deepEqual(await client.getMany(KEYS), entries);
      assert.deepEqual(
        await client.fetchMany(KEYS, () => assert.fail(), { ttl: 60 }),
        entries,
      );
      const listed: string[] = [];
      for await (const key of client.keys()) listed.push(key);
      const expected = KEYS.map((key) => safeKey(key, "p:").slice(2));
      assert.deepEqual(listed.sort(), expected.sort());
      const deleted = await client.deleteMany(KEYS);
      assert.deepEqual(deleted, new Map(KEYS.map((key) => [key, true])));
    });

    test("two clients agree, and one that rejects unsafe keys finds the legal ones", async () => {
      await using other = new Memcached(server.address, options);
      await using strict = new Memcached(server.address, { ...options, unsafeKeys: "reject" });
      await client.set("a b", 1);
      await client.set("legal", 2);
      assert.equal(await other.get("a b"), 1);
      assert.equal(await strict.get("legal"), 2);
      await assert.rejects(strict.get("a b"), REFUSED);
    });

    test("errors are by the caller's keys", async () => {
      await using down = new Memcached(`127.0.0.1:${await freePort()}`, options);
      await assert.rejects(down.getMany(KEYS), (error: PartialError) => {
        assert.deepEqual([...error.errors.keys()], KEYS);
        return true;
      });
    });

    test("session ids are not hashed", async () => {
      const store = new SessionStore({ client, namespace: "s:" });
      assert.throws(() => store.create("a b"), REFUSED);
      assert.equal((await store.open("a b")).isNew, true);
      const like = `x#${"y".repeat(43)}`;
      assert.throws(() => store.create(like), REFUSED);
      assert.equal(await store.get(like), undefined);
      const secret = "sixteen bytes or more";
      assert.throws(() => new SessionStore({ client, namespace: "s#", secret }), REFUSED);
      const sealed = new SessionStore({ client, namespace: "t:", secret });
      const session = sealed.create(like);
      session.set("n", 1);
      await sealed.storeSession(session);
      assert.equal((await sealed.open(like)).get("n"), 1);
    });
  });
}

test("unsafeKeys is checked", () => {
  assert.throws(() => new Memcached("a", { unsafeKeys: "sha" as "hash" }), REFUSED);
  const prefix = "p".repeat(207);
  assert.throws(() => new Memcached("a", { unsafeKeys: "hash", prefix }), { name: "RangeError" });
  new Memcached("a", { unsafeKeys: "hash", prefix: prefix.slice(1) });
  new Memcached("a", { prefix });
});

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Memcached } from "../../mod.ts";
import { secondaryStorage } from "../../src/adapters/better_auth.ts";
import { freePort, type MemcachedServer, startMemcached } from "../support/memcached.ts";

const REFUSED = { name: "TypeError", code: "ERR_INVALID_ARGUMENT" };

for (const protocol of ["meta", "classic"] as const) {
  describe(`secondaryStorage, ${protocol}`, () => {
    let server: MemcachedServer;
    let client: Memcached;
    before(async () => {
      server = await startMemcached();
      client = new Memcached(server.address, { protocol, timeout: 10_000 });
    });
    after(async () => {
      await client.close();
      await server.stop();
    });

    test("gives texts back as they were", async () => {
      const storage = secondaryStorage(client);
      for (const text of ["", "text", "123", "007", "99 ", '{"a":1}', "é😀", "\r\nEND\r\n"]) {
        await storage.set("key", text);
        assert.equal(await storage.get("key"), text);
        assert.equal(await storage.getAndDelete("key"), text);
        assert.equal(await storage.get("key"), null);
      }
      assert.equal(await storage.getAndDelete("key"), null);
      await storage.delete("key");
    });

    test("a time to live is in seconds; 0 and less is over", async () => {
      const storage = secondaryStorage(client, { prefix: "ttl:" });
      await storage.set("a", "1", 60);
      await storage.set("b", "1");
      await storage.set("c", "1", 0.5);
      await storage.set("d", "1");
      await storage.set("d", "2", 0);
      const ttls = ["ttl:a", "ttl:b"].map(async (key) => (await client.getItem(key))?.ttl);
      if (protocol === "meta") assert.deepEqual(await Promise.all(ttls), [60, Infinity]);
      assert.equal(await storage.get("d"), null);
      await sleep(2100);
      assert.equal(await storage.get("c"), null);
      assert.equal(await storage.get("a"), "1");
    });

    test("of fifty that take one value out at the same time one gets it", async () => {
      const storage = secondaryStorage(client);
      for (let round = 0; round < 10; round++) {
        await storage.set("once", `${round}`, 60);
        const all = await Promise.all(
          Array.from({ length: 50 }, () => storage.getAndDelete("once")),
        );
        assert.deepEqual(all.filter((text) => text !== null), [`${round}`]);
      }
    });

    test("two hundred increments at once are counted, and do not extend the counter", async () => {
      const storage = secondaryStorage(client);
      const key = `counter ${protocol}`;
      const counts = await Promise.all(
        Array.from({ length: 200 }, () => storage.increment(key, 4)),
      );
      assert.deepEqual(counts.sort((a, b) => a - b), Array.from({ length: 200 }, (_, i) => i + 1));
      assert.equal(await storage.get(key), "200");
      await sleep(1000);
      assert.equal(await storage.increment(key, 60), 201);
      await sleep(3600); // memcached counts whole seconds: it ends three or four after it began
      assert.equal(await storage.increment(key, 60), 1);
    });

    test("any text is a key, the same one with and without unsafeKeys", async () => {
      await using other = new Memcached(server.address, { protocol, unsafeKeys: "hash" });
      const [one, two] = [secondaryStorage(client), secondaryStorage(other)];
      for (const key of ["", '"a b"@example.org', "ada@example.org", "x".repeat(400), "a\r\nb"]) {
        await one.set(key, "one");
        assert.equal(await two.get(key), "one");
        assert.equal(await two.getAndDelete(key), "one");
      }
    });

    test("a prefix keeps two storages apart", async () => {
      const one = secondaryStorage(client, { prefix: "one:" });
      const two = secondaryStorage(client, { prefix: "two:" });
      await one.set("a", "1");
      assert.equal(await two.get("a"), null);
      assert.equal(await client.get("one:a"), "1");
    });
  });
}

test("secondaryStorage checks what it is given, and rejects when memcached is down", async () => {
  await using client = new Memcached(`127.0.0.1:${await freePort()}`);
  for (const options of [{ prefix: 1 }, { prefix: "a b" }, { keyPrefix: "a" }, "a"]) {
    assert.throws(() => secondaryStorage(client, options as { prefix: string }), REFUSED);
  }
  assert.throws(() => secondaryStorage({} as Memcached), REFUSED);
  await using memjs = new Memcached("localhost", { values: "memjs" });
  assert.throws(() => secondaryStorage(memjs), REFUSED, "it would read a text as bytes");
  const storage = secondaryStorage(client);
  for (const wrong of [undefined, null, { a: 1 }, 5n] as never[]) {
    await assert.rejects(storage.get(wrong), REFUSED);
    await assert.rejects(storage.set("k", wrong), REFUSED);
  }
  await assert.rejects(storage.set("k", "v", Symbol("a") as never), REFUSED);
  const calls = [
    storage.get("a"),
    storage.set("a", "b"),
    storage.set("a", "b", 0),
    storage.delete("a"),
    storage.getAndDelete("a"),
    storage.increment("a", 1),
  ];
  for (const call of calls) await assert.rejects(call, { code: "SERVER_DOWN" });
});

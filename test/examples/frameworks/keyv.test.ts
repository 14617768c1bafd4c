// Keyv 5 and 6 and what is built on it: cache-manager, @nestjs/cache-manager, cacheable, Apollo's KeyvAdapter.
import "reflect-metadata";
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { KeyvAdapter } from "@apollo/utils.keyvadapter";
import { CACHE_MANAGER, CacheModule } from "@nestjs/cache-manager";
import { Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { type Cache, createCache } from "cache-manager";
import { Cacheable } from "cacheable";
import { Keyv as Keyv5 } from "keyv";
import { Keyv as Keyv6 } from "keyv-6";
import { Memcached } from "memwire";
import { MemwireKeyv } from "memwire/keyv";
import { freePort, type MemcachedServer, startMemcached } from "../../support/memcached.ts";

let server: MemcachedServer;
let client: Memcached;
before(async () => {
  server = await startMemcached();
  client = new Memcached(server.address, { timeout: 10_000 });
});
after(async () => {
  await client.close();
  await server.stop();
});

const store = (namespace: string): MemwireKeyv => new MemwireKeyv(client, { namespace });
const value = { map: new Map([["a", new Set([1])]]), at: new Date(0) };

/** The methods that both versions have, in the types of one of them. */
type Keyv = Pick<
  Keyv6,
  "get" | "set" | "getMany" | "setMany" | "has" | "hasMany" | "delete" | "clear" | "iterator"
>;

const KEYVS: Record<string, (namespace: string, plain: boolean) => Keyv> = {
  "Keyv 5": (namespace, plain) => {
    const json = plain ? { serialize: undefined, deserialize: undefined } : {};
    const options = { store: store(`five-${plain}`), namespace, throwOnErrors: true, ...json };
    return new Keyv5(options as ConstructorParameters<typeof Keyv5>[0]) as unknown as Keyv;
  },
  "Keyv 6": (namespace, plain) => {
    const json = plain ? { serialization: false as const } : {};
    return new Keyv6({ store: store(`six-${plain}`), namespace, ...json });
  },
};

for (const [name, make] of Object.entries(KEYVS)) {
  describe(name, () => {
    test("stores, finds and deletes one and many, under any text", async () => {
      const keyv = make("basic", false);
      const keys = ["a", "a b", "x".repeat(300)];
      for (const key of keys) assert.equal(await keyv.set(key, { key }), true);
      assert.deepEqual(await keyv.get("a b"), { key: "a b" });
      assert.deepEqual(await keyv.getMany([...keys, "none"]), [
        ...keys.map((key) => ({ key })),
        undefined,
      ]);
      const set = await keyv.setMany([
        { key: "b", value: 1 },
        { key: "c", value: 2, ttl: 60_000 },
      ]);
      assert.deepEqual(set, [true, true]);
      assert.deepEqual(await keyv.hasMany(["b", "c", "d"]), [true, true, false]);
      assert.equal(await keyv.delete("b"), true);
      assert.equal(await keyv.delete("b"), false);
      assert.equal(await keyv.has("b"), false);
    });

    test("a ttl is exact to the millisecond", async () => {
      const keyv = make("ttl", false);
      await keyv.set("a", 1, 500);
      assert.equal(await keyv.get("a"), 1);
      assert.equal(await keyv.has("a"), true);
      await sleep(550);
      assert.equal(await keyv.has("a"), false);
      assert.equal(await keyv.get("a"), undefined);
    });

    test("clear and iterator use only the keys of the namespace", async () => {
      const [one, two] = [make("one", false), make("two", false)];
      await one.setMany([{ key: "a", value: 1 }, { key: "a b", value: 2 }]);
      await two.set("a", 3);
      const found = new Map<unknown, unknown>();
      for await (const [key, value] of one.iterator()) found.set(key, value);
      assert.deepEqual(found, new Map([["a", 1], ["a b", 2]]));
      await one.clear();
      assert.deepEqual(await one.getMany(["a", "a b"]), [undefined, undefined]);
      assert.equal(await two.get("a"), 3);
    });

    test("Map, Set and Date come back unchanged if Keyv is told not to turn them into JSON", async () => {
      const keyv = make("plain", true);
      await keyv.set("a", value, 60_000);
      assert.deepEqual(await keyv.get("a"), value);
    });

    test("an unreachable server is an error", async () => {
      await using down = new Memcached(`127.0.0.1:${await freePort()}`);
      const options = { store: new MemwireKeyv(down), throwOnErrors: true };
      const keyv = name === "Keyv 5" ? new Keyv5(options) : new Keyv6(options);
      const codes: unknown[] = [];
      keyv.on("error", ({ code }: { code?: unknown }) => codes.push(code));
      assert.equal(await Promise.resolve(keyv.set("a", 1)).catch(() => false), false);
      assert.ok(codes.length > 0);
      for (const code of codes) assert.equal(code, "SERVER_DOWN");
    });
  });
}

test("cache-manager: wrap computes once, many and clear work", async () => {
  const cache = createCache({ stores: [new Keyv5({ store: store("manager") })] });
  let computed = 0;
  const compute = (): Promise<string> => Promise.resolve(`computed ${++computed}`);
  for (let i = 0; i < 3; i++) assert.equal(await cache.wrap("a b", compute, 60_000), "computed 1");
  await cache.mset([{ key: "x", value: 1 }, { key: "y", value: 2, ttl: 60_000 }]);
  assert.deepEqual(await cache.mget(["x", "y", "z"]), [1, 2, undefined]);
  await cache.del("x");
  assert.equal(await cache.get("x"), undefined);
  await cache.clear();
  assert.equal(await cache.get("y"), undefined);
});

test("@nestjs/cache-manager: the injected cache uses memcached, and stopping leaves the client open", async () => {
  class Application {}
  const stores = [new Keyv5({ store: store("nest") })];
  Module({ imports: [CacheModule.register({ stores })] })(Application);
  const app = await NestFactory.createApplicationContext(Application, { logger: false });
  const cache = app.get<Cache>(CACHE_MANAGER);
  await cache.set("a", { b: 1 }, 60_000);
  assert.deepEqual(await cache.get("a"), { b: 1 });
  await app.close();
  assert.deepEqual(await createCache({ stores }).get("a"), { b: 1 });
});

test("cacheable: memcached as the second layer", async () => {
  const secondary = new Keyv5({ store: store("cacheable") });
  const [one, two] = [new Cacheable({ secondary }), new Cacheable({ secondary })];
  await one.set("a", "of one");
  assert.equal(await two.get("a"), "of one");
  await two.delete("a");
  assert.equal(await secondary.get("a"), undefined);
});

test("Apollo's KeyvAdapter", async () => {
  const keyv = new Keyv5({ store: store("apollo") }); // the types of its CommonJS build differ
  const cache = new KeyvAdapter<string>(keyv as never);
  const query = "fqc:{ shop { cart } } with spaces";
  await cache.set(query, "cached", { ttl: 60 });
  assert.deepEqual(await Promise.all([cache.get(query), cache.get("none")]), ["cached", undefined]);
  await cache.delete(query);
  assert.equal(await cache.get(query), undefined);
});

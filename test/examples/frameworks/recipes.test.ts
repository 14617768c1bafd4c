// Runs the recipes with the real frameworks, in this process. examples.test.ts runs their servers over HTTP.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Memcached, SessionStore } from "memwire";
import * as router8 from "react-router";
import * as router7 from "react-router-7";
import { createStorage } from "unstorage";
import { type MemcachedServer, startMemcached } from "../../support/memcached.ts";
import { apolloCache } from "./apollo_cache.ts";
import { koaSessionStore } from "./koa_session_store.ts";
import { sessionData } from "./react_router_sessions.ts";
import { memwireDriver } from "./unstorage_driver.ts";

let server: MemcachedServer;
let client: Memcached;
before(async () => {
  server = await startMemcached();
  client = new Memcached(server.address, { timeout: 10_000, unsafeKeys: "hash" });
});
after(async () => {
  await client.close();
  await server.stop();
});

const ROUTERS = [
  ["8", router8.createSessionStorage],
  ["7", router7.createSessionStorage as typeof router8.createSessionStorage],
] as const;

for (const [version, createSessionStorage] of ROUTERS) {
  describe(`React Router ${version}`, () => {
    function storage(): router8.SessionStorage<router8.SessionData> {
      const store = new SessionStore({ client, namespace: `router${version}:` });
      const cookie = { name: "session", secrets: ["s"] };
      return createSessionStorage({ cookie, ...sessionData(store) });
    }
    const cookieOf = (header: string): string => header.split(";")[0] as string;

    test("data stays, and flash data is there once", async () => {
      const { getSession, commitSession } = storage();
      const session = await getSession();
      session.set("user", "ada");
      session.flash("message", "welcome");
      const cookie = cookieOf(await commitSession(session));
      const second = await getSession(cookie);
      assert.equal(second.get("user"), "ada");
      assert.equal(second.get("message"), "welcome");
      await commitSession(second);
      const third = await getSession(cookie);
      assert.deepEqual([third.get("user"), third.get("message")], ["ada", undefined]);
      third.unset("user");
      await commitSession(third);
      assert.equal((await getSession(cookie)).has("user"), false);
    });

    test("a session ends when its cookie does", async () => {
      const { getSession, commitSession } = storage();
      const session = await getSession();
      session.set("user", "ada");
      const expires = new Date(Date.now() + 60_000);
      const cookie = cookieOf(await commitSession(session, { expires }));
      const { id } = await getSession(cookie);
      const raw = new Memcached(server.address, {
        serializer: { serialize: () => assert.fail(), deserialize: () => 0 },
      });
      const { ttl = 0 } = await raw.getItem(`router${version}:${id}`) ?? {};
      await raw.close();
      assert.ok(ttl > 55 && ttl <= 60, `${ttl}`);
    });

    test("a late commit does not bring a destroyed session back", async () => {
      const { getSession, commitSession, destroySession } = storage();
      const session = await getSession();
      session.set("user", "ada");
      const cookie = cookieOf(await commitSession(session));
      const late = await getSession(cookie);
      await destroySession(await getSession(cookie));
      late.set("note", "late");
      await commitSession(late);
      assert.deepEqual((await getSession(cookie)).data, {});
      await destroySession(await getSession()); // of a session that was never stored
    });
  });
}

test("unstorage: items, keys, bases and ttls", async () => {
  const driver = (base: string) => memwireDriver({ client, base });
  const storage = createStorage({ driver: driver("one") });
  const other = createStorage({ driver: driver("two:") });
  await other.setItem("a", "other");
  await storage.setItem("a:b", { n: 1 });
  await storage.setItem("a:c", "text");
  await storage.setItemRaw("raw", new Uint8Array([1, 2]));
  assert.deepEqual(await storage.getItem("a:b"), { n: 1 });
  assert.deepEqual(await storage.getItemRaw("raw"), new Uint8Array([1, 2]));
  assert.deepEqual(await storage.getItems(["a:b", "none"]), [
    { key: "a:b", value: { n: 1 } },
    { key: "none", value: null },
  ]);
  assert.deepEqual((await storage.getKeys("a")).sort(), ["a:b", "a:c"]);
  assert.equal(await storage.hasItem("a:c"), true);
  await storage.removeItem("a:c");
  assert.equal(await storage.hasItem("a:c"), false);
  await storage.setItem("short", "1", { ttl: 1 });
  await sleep(2100);
  assert.equal(await storage.getItem("short"), null);
  await storage.clear();
  assert.deepEqual(await storage.getKeys(), []);
  assert.equal(await other.getItem("a"), "other");
});

test("Apollo's KeyValueCache: whole queries are keys", async () => {
  const cache = apolloCache(client);
  const key = `fqc:{ shop(id: "1") { ${"name ".repeat(80)} } }`;
  assert.equal(await cache.get(key), undefined);
  await cache.set(key, "cached", { ttl: 60 });
  assert.equal(await cache.get(key), "cached");
  await cache.set("for ever", "cached", { ttl: null });
  assert.equal(await cache.delete(key), true);
  assert.equal(await cache.get(key), undefined);
});

test("koa-session's store: concurrent requests keep each other's fields, and a late save is ignored", async () => {
  const store = koaSessionStore(new SessionStore({ client, namespace: "koa:" }));
  const [first, one, two, late] = [{}, {}, {}, {}];
  const read = (ctx: unknown): Promise<unknown> => store.get("id", 1, { ctx, rolling: false });
  const write = (fields: object, ctx: unknown): Promise<void> =>
    store.set("id", fields, 60_000, { ctx, rolling: false, changed: true });
  await write({ a: 1 }, first);
  await write({ a: 2 }, first); // again in the same request
  for (const request of [one, two, late]) await read(request);
  await write({ a: 2, one: 1 }, one);
  await write({ two: 2 }, two);
  assert.deepEqual(await read({}), { one: 1, two: 2 });
  await store.destroy("id", {});
  await write({ late: 1 }, late);
  assert.equal(await read({}), undefined);
});

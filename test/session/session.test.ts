import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { inspect } from "node:util";
import { type Session, SessionStore } from "../../mod.ts";
import { describeDialects, type Fields, fieldsOf, someId } from "./stores.ts";

const REFUSED = { code: "ERR_INVALID_ARGUMENT" };

// Webware's own test suite for sessions: id, dirty, isNew, timeout, values.
describeDialects("a session", (stores) => {
  test("isNew: true until the session is stored, false when it was loaded", async () => {
    const store = stores.make();
    const session = await store.open();
    assert.equal(session.isNew, true);
    session.set("a", 1);
    assert.equal(session.isNew, true);
    await store.storeSession(session);
    assert.equal(session.isNew, false);
    assert.equal((await store.open(session.id)).isNew, false);
    const stranger = await store.open(someId());
    assert.equal(stranger.isNew, true);
  });

  test("an unknown id is not adopted", async () => {
    const store = stores.make();
    const id = someId();
    const session = await store.open(id);
    assert.notEqual(session.id, id);
    session.set("a", 1);
    await store.storeSession(session);
    assert.equal(await store.has(id), false);
  });

  test("values: set, get, has, delete, clear, entries", async () => {
    const store = stores.make<{ a: number; b: string | null; c: undefined }>();
    const session = await store.open();
    assert.equal(session.set("a", 1), session);
    session.set("b", null).set("c", undefined);
    assert.equal(session.get("a"), 1);
    assert.equal(session.get("b"), null);
    assert.equal(session.has("b"), true);
    assert.equal(session.has("c"), true);
    assert.deepEqual([...session.entries()], [["a", 1], ["b", null], ["c", undefined]]);
    assert.equal(session.delete("a"), true);
    assert.equal(session.delete("a"), false);
    assert.equal(session.has("a"), false);
    await store.storeSession(session);
    const again = await store.open(session.id);
    assert.deepEqual([...again.entries()], [["b", null], ["c", undefined]]);
    assert.equal(again.has("b"), true, "a stored null is there");
    assert.equal(again.has("a"), false);
    again.clear();
    assert.deepEqual([...again.entries()], []);
    await store.storeSession(again);
    assert.deepEqual(fieldsOf(await store.open(session.id)), {});
  });

  test("values: a property that is assigned is refused, since it would not be stored", () => {
    const session = stores.make<{ user: string }>().create();
    assert.throws(() => (session as unknown as { user: string }).user = "ada", TypeError);
  });

  test("values: wrong arguments are refused", () => {
    const session = stores.make().create();
    const refused = { name: "TypeError", code: "ERR_INVALID_ARGUMENT" };
    for (const name of [undefined, null, 5, {}] as unknown as string[]) {
      assert.throws(() => session.get(name), refused);
      assert.throws(() => session.set(name, 1), refused);
      assert.throws(() => session.has(name), refused);
      assert.throws(() => session.delete(name), refused);
      assert.throws(() => session.update(name, () => 1), refused);
    }
    assert.throws(() => session.setDirty("no" as never), refused);
  });

  test("values: names that every object inherits are not fields", async () => {
    const store = stores.make();
    const session = await store.open();
    for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
      assert.equal(session.get(name), undefined);
      assert.equal(session.has(name), false);
      assert.equal(session.delete(name), false);
    }
    session.set("__proto__", { admin: true }).set("constructor", 1).set("", 2);
    await store.storeSession(session);
    const again = await store.open(session.id);
    assert.deepEqual(again.get("__proto__"), { admin: true });
    assert.equal(again.get("admin"), undefined);
    assert.equal(again.get("constructor"), 1);
    assert.equal(again.get(""), 2);
    assert.equal(({} as Fields)["admin"], undefined);
    assert.equal(again.delete("__proto__"), true);
    await store.storeSession(again);
    assert.equal((await store.open(session.id)).has("__proto__"), false);
    assert.throws(() => session.set(1 as never, 1), REFUSED);
  });

  test("dirty: by set, delete, clear, ttl, regenerate and setDirty; clean once stored", async () => {
    const store = stores.make();
    const session = await store.open();
    assert.equal(session.isDirty(), false);
    const changes: ((session: Session) => unknown)[] = [
      (session) => session.set("a", 1),
      (session) => session.delete("a"),
      (session) => session.clear(),
      (session) => session.ttl = 100,
      (session) => session.setDirty(),
      (session) => session.regenerate(),
    ];
    for (const change of changes) {
      session.set("x", 1);
      change(session);
      assert.equal(session.isDirty(), true, `${change}`);
      assert.equal(await store.storeSession(session), "stored");
      assert.equal(session.isDirty(), false, `${change}`);
    }
    session.set("b", 2);
    session.setDirty(false);
    assert.equal(session.isDirty(), false);
    assert.equal(session.delete("no such field"), false);
    assert.equal(session.isDirty(), false);
    assert.equal((await store.open(session.id)).isDirty(), false);
  });

  test("timeout: the store's, or its own", async () => {
    const store = stores.make({ ttl: 300 });
    const session = await store.open();
    assert.equal(session.ttl, 300);
    session.set("a", 1);
    session.ttl = 25.5;
    assert.equal(session.ttl, 25.5);
    await store.storeSession(session);
    await stores.assertTtl(store.mcKey(session.id), 26);
    assert.equal((await store.open(session.id)).ttl, 25.5);
  });

  test("timeout: an impossible ttl is refused when it is set", async () => {
    const session = await stores.make().open();
    for (const ttl of [NaN, -1, Date.now()]) {
      assert.throws(() => session.ttl = ttl, { name: "RangeError", ...REFUSED });
    }
    for (const ttl of ["60", null, undefined]) {
      assert.throws(() => session.ttl = ttl as never, { name: "TypeError", ...REFUSED });
    }
    assert.equal(session.isDirty(), false);
    for (const ttl of [0, Infinity, 0.1, 3_000_000]) session.ttl = ttl;
    assert.equal(session.ttl, 3_000_000);
  });

  test("createdAt: when it was made, over saves and loads", async () => {
    const store = stores.make();
    const before = Date.now();
    const session = await store.open();
    const { createdAt } = session;
    assert.ok(createdAt >= before && createdAt <= Date.now(), `${createdAt}`);
    session.set("a", 1);
    await sleep(5);
    await store.storeSession(session);
    const again = await store.open(session.id);
    assert.equal(again.createdAt, createdAt);
    again.regenerate();
    again.set("a", 2);
    await store.storeSession(again);
    assert.equal((await store.open(again.id)).createdAt, createdAt);
  });

  test("expiring and destroy", async () => {
    const store = stores.make();
    for (const end of ["expiring", "destroy"] as const) {
      const session = await store.open();
      session.set("a", 1);
      await store.storeSession(session);
      assert.equal(session.isExpired(), false);
      session[end]();
      assert.equal(session.isExpired(), true);
      assert.equal(session.destroyed, end === "destroy");
      assert.equal(await store.has(session.id), true, "nothing has been sent");
      assert.equal(await store.storeSession(session), "deleted");
      assert.equal(await store.has(session.id), false);
      assert.equal(await store.storeSession(session), "deleted", "still");
    }
  });

  test("shows nothing of its content in a log", async () => {
    const store = stores.make({ secret: "a secret that nobody may see" });
    const session = await store.open();
    session.set("card", "4111 1111");
    await store.storeSession(session);
    const again = await store.open(session.id);
    for (const thing of [session, again, store]) {
      const shown = inspect(thing, { depth: 9, showHidden: true }) + JSON.stringify(thing);
      for (const secret of ["4111", session.id, "nobody may see"]) {
        assert.ok(!shown.includes(secret), shown);
      }
    }
  });
});

test("a session's id: 32 random characters of base64url, no two the same, without a trace of the time", async () => {
  const store = new SessionStore();
  const ids: string[] = [];
  for (let i = 0; i < 100_000; i++) ids.push((await store.open()).id);
  assert.equal(new Set(ids).size, ids.length);
  assert.deepEqual(ids.filter((id) => !/^[A-Za-z0-9_-]{32}$/.test(id)), []);
  // Every character of the alphabet at every place, about as often as every other.
  for (let at = 0; at < 32; at++) {
    const counts = new Map<string, number>();
    for (const id of ids) {
      const char = id[at] as string;
      counts.set(char, (counts.get(char) ?? 0) + 1);
    }
    assert.equal(counts.size, 64);
    assert.ok(Math.max(...counts.values()) < 2 * ids.length / 64, `at ${at}`);
  }
});

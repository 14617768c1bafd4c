import assert from "node:assert/strict";
import { test } from "node:test";
import { type Session, TimeoutError, UnsupportedError } from "../../mod.ts";
import { startMemcached } from "../support/memcached.ts";
import { describeDialects, fieldsOf, someId, Stores } from "./stores.ts";

describeDialects("update", (stores) => {
  test("creates a value, changes it, leaves it alone", async () => {
    const store = stores.make<number>({ ttl: 60 });
    const id = someId();
    assert.equal(await store.update(id, () => undefined), undefined);
    assert.equal(await store.has(id), false);
    assert.equal(await store.update(id, (n) => (n ?? 0) + 1), 1);
    assert.equal(await store.update(id, (n = 0) => Promise.resolve(n + 1)), 2);
    assert.equal(await store.update(id, () => undefined), 2);
    assert.equal(await store.get(id), 2);
    await stores.assertTtl(store.mcKey(id), 60);
  });

  test("if the function throws, the call rejects and nothing is written", async () => {
    const store = stores.make<number>();
    const id = someId();
    await store.set(id, 1);
    const error = new Error("no");
    await assert.rejects(
      store.update(id, () => {
        throw error;
      }),
      (thrown) => thrown === error,
    );
    await assert.rejects(store.update(id, 5 as never), { code: "ERR_INVALID_ARGUMENT" });
    assert.equal(await store.get(id), 1);
  });

  test("a function that never ends: TimeoutError", async () => {
    const store = stores.make<number>();
    const never = new Promise<number>(() => {});
    await assert.rejects(store.update(someId(), () => never, { timeout: 40 }), TimeoutError);
  });

  test("many updates at once lose nothing", async () => {
    const store = stores.make<number>();
    const id = someId();
    const callers = Array.from(
      { length: 20 },
      () => store.update(id, (n) => (n ?? 0) + 1, { timeout: 10_000 }),
    );
    await Promise.all(callers);
    assert.equal(await store.get(id), 20);
  });

  test("a Session stays one, with its creation time and its own ttl", async () => {
    const store = stores.make({ ttl: 500 });
    const session = await store.open();
    session.set("n", 1);
    session.ttl = 50;
    await store.storeSession(session);
    await store.update(session.id, (fields) => ({ ...fields, m: 2 }));
    const stored = await stores.stored(store.mcKey(session.id));
    assert.equal(stored?.flags, 256 | 512);
    await stores.assertTtl(store.mcKey(session.id), 50);
    const again: Session = await store.open(session.id);
    assert.deepEqual(fieldsOf(again), { n: 1, m: 2 });
    assert.equal(again.ttl, 50);
    assert.equal(again.createdAt, session.createdAt);
    await assert.rejects(store.update(session.id, () => 5 as never), { name: "TypeError" });
    await store.update(session.id, (fields) => fields, { ttl: 70 });
    await stores.assertTtl(store.mcKey(session.id), 70);
  });

  test("with several secrets: a value that another secret has sealed is sealed by the first", async () => {
    const [old, fresh] = ["an old secret, long enough", "a new secret, long enough"] as const;
    const before = stores.make<number>({ secret: old });
    const after = stores.make<number>({ secret: fresh });
    const both = stores.make<number>({ secret: [fresh, old] });
    const id = someId();
    await before.set(id, 1);
    assert.equal(await both.update(id, (n) => (n ?? 0) + 1), 2);
    assert.equal(await after.get(id), 2);
  });
});

test("update needs a server that keeps tokens", async (t) => {
  const server = await startMemcached({ args: ["-C"] });
  t.after(() => server.stop());
  for (const protocol of ["meta", "classic"] as const) {
    const stores = new Stores(protocol);
    t.after(() => stores.stop());
    const store = stores.make<number>({ servers: server.address });
    const id = someId();
    assert.equal(await store.update(id, () => 1), 1);
    await assert.rejects(store.update(id, () => 2), UnsupportedError);
    assert.equal(await store.get(id), 1);
  }
});

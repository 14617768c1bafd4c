import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { MemcachedError, UnsupportedError } from "../../mod.ts";
import { startMemcached } from "../support/memcached.ts";
import { ADD, GETS, LEAVE, present, type Scene, setScene } from "./moves.ts";
import { describeDialects, fieldsOf, storedSession, Stores } from "./stores.ts";

describeDialects("regenerate", (stores) => {
  const setUp = (t: TestContext): Promise<Scene> => setScene(t, stores);

  test("a new id now; stored by add, then the old one is deleted", async (t) => {
    const { gate, store, other } = await setUp(t);
    const id = await storedSession(other, { a: 1 });
    const session = await store.open(id);
    session.regenerate();
    assert.notEqual(session.id, id);
    assert.equal(session.isDirty(), true);
    assert.deepEqual(await present(other, id, session.id), [true, false], "nothing was sent yet");
    gate.clear();
    assert.equal(await store.storeSession(session), "stored");
    assert.equal(gate.lines.length, 3);
    for (const [i, step] of [GETS, ADD, LEAVE].entries()) assert.match(gate.lines[i] ?? "", step);
    assert.deepEqual(await present(other, id, session.id), [false, true]);
    assert.deepEqual(fieldsOf(await other.open(session.id)), { a: 1 });
    session.set("b", 2);
    assert.equal(await store.storeSession(session), "stored");
    assert.deepEqual(await other.get(session.id), { a: 1, b: 2 });
  });

  test("before the first save: only the last id is ever written", async (t) => {
    const { gate, store } = await setUp(t);
    const session = await store.open();
    session.set("a", 1);
    const first = session.id;
    session.regenerate();
    assert.equal(await store.storeSession(session), "stored");
    assert.equal(gate.lines.length, 1);
    assert.deepEqual(await present(store, first, session.id), [false, true]);
  });

  test("twice before the save: as once", async (t) => {
    const { gate, store, other } = await setUp(t);
    const id = await storedSession(other, { a: 1 });
    const session = await store.open(id);
    session.regenerate();
    const between = session.id;
    session.regenerate();
    gate.clear();
    assert.equal(await store.storeSession(session), "stored");
    assert.equal(gate.lines.length, 3);
    assert.deepEqual(await present(other, id, between, session.id), [false, false, true]);
  });

  test("written elsewhere while it moves: both changes survive", async (t) => {
    const { gate, store, other } = await setUp(t);
    for (const step of [GETS, ADD, LEAVE]) {
      const id = await storedSession(other, { a: 1, cart: [] });
      const session = await store.open(id);
      session.set("user", "ada");
      session.regenerate();
      gate.before(step, () => other.update(id, (fields) => ({ ...fields, cart: ["tea"] })));
      assert.equal(await store.storeSession(session), "stored");
      assert.equal(gate.done, true);
      assert.deepEqual(await present(other, id, session.id), [false, true]);
      assert.deepEqual(await other.get(session.id), { a: 1, cart: ["tea"], user: "ada" });
      assert.deepEqual(fieldsOf(session), { a: 1, cart: ["tea"], user: "ada" });
    }
  });

  test("written elsewhere again and again while it moves", async (t) => {
    const { gate, store, other } = await setUp(t);
    const id = await storedSession(other, { a: 1 });
    const session = await store.open(id);
    session.set("user", "ada");
    session.regenerate();
    for (let n = 0; n < 3; n++) {
      gate.before(LEAVE, () => other.update(id, (fields) => ({ ...fields, [`n${n}`]: n })));
    }
    assert.equal(await store.storeSession(session), "stored");
    assert.deepEqual(await other.get(session.id), { a: 1, user: "ada", n0: 0, n1: 1, n2: 2 });
  });

  test("ended elsewhere before or while it moves: gone, and no copy is left", async (t) => {
    const { gate, store, other } = await setUp(t);
    for (const step of [GETS, ADD, LEAVE]) {
      const id = await storedSession(other, { a: 1 });
      const session = await store.open(id);
      session.set("a", 2);
      session.regenerate();
      gate.before(step, () => other.delete(id));
      assert.equal(await store.storeSession(session), "gone");
      assert.equal(gate.done, true);
      assert.deepEqual(await present(other, id, session.id), [false, false]);
      assert.equal(await store.storeSession(session), "gone");
    }
  });

  test("cut off at any step: never neither, and the next save ends it", async (t) => {
    const { gate, store, other } = await setUp(t);
    for (const step of [ADD, LEAVE]) {
      for (const lost of ["request", "reply"] as const) {
        const id = await storedSession(other, { a: 1 });
        const session = await store.open(id);
        session.set("b", 2);
        session.regenerate();
        gate.lose(lost, step);
        await assert.rejects(store.storeSession(session), MemcachedError);
        assert.equal(gate.done, true);
        assert.ok((await present(other, id, session.id)).includes(true), "neither");
        assert.equal(session.isDirty(), true);
        session.set("c", 3);
        assert.equal(await store.storeSession(session), "stored");
        assert.deepEqual(await present(other, id, session.id), [false, true]);
        assert.deepEqual(await other.get(session.id), { a: 1, b: 2, c: 3 });
      }
    }
  });

  test("cut off, written elsewhere under the old id: the next save merges", async (t) => {
    const { gate, store, other } = await setUp(t);
    for (const [lost, step] of [["request", ADD], ["reply", ADD], ["request", LEAVE]] as const) {
      for (const between of [false, true]) {
        const id = await storedSession(other, { a: 1 });
        const session = await store.open(id);
        session.set("b", 2);
        session.regenerate();
        gate.lose(lost, step);
        await assert.rejects(store.storeSession(session), MemcachedError);
        await other.update(id, (fields) => ({ ...fields, c: 3 }));
        if (between) session.regenerate();
        assert.equal(await store.storeSession(session), "stored");
        assert.deepEqual(await other.get(session.id), { a: 1, b: 2, c: 3 });
        assert.equal(await other.has(id), false);
      }
    }
  });

  test("cut off, then ended elsewhere under the old id: gone, the new copy too", async (t) => {
    const { gate, store, other } = await setUp(t);
    for (const lost of ["request", "reply"] as const) {
      const id = await storedSession(other, { a: 1 });
      const session = await store.open(id);
      session.regenerate();
      gate.lose(lost, ADD);
      await assert.rejects(store.storeSession(session), MemcachedError);
      await other.delete(id);
      assert.equal(await store.storeSession(session), "gone");
      assert.deepEqual(await present(other, id, session.id), [false, false]);
    }
  });

  test("cut off, then regenerated again: only the last is left", async (t) => {
    const { gate, store, other } = await setUp(t);
    for (const step of [ADD, LEAVE]) {
      for (const lost of ["request", "reply"] as const) {
        const id = await storedSession(other, { a: 1 });
        const session = await store.open(id);
        session.regenerate();
        const between = session.id;
        gate.lose(lost, step);
        await assert.rejects(store.storeSession(session), MemcachedError);
        session.regenerate();
        session.set("b", 2);
        assert.equal(await store.storeSession(session), "stored");
        assert.deepEqual(await present(other, id, between, session.id), [false, false, true]);
        assert.deepEqual(await other.get(session.id), { a: 1, b: 2 });
      }
    }
  });

  test("a new session whose add was lost, then regenerated: stored, once", async (t) => {
    const { gate, store, other } = await setUp(t);
    for (const lost of ["request", "reply"] as const) {
      const session = await store.open();
      session.set("a", 1).set("b", 1);
      const first = session.id;
      gate.lose(lost, ADD);
      await assert.rejects(store.storeSession(session), MemcachedError);
      session.regenerate();
      session.delete("b");
      assert.equal(session.isNew, true);
      assert.equal(await store.storeSession(session), "stored");
      assert.equal(session.isNew, false);
      assert.deepEqual(await present(other, first, session.id), [false, true]);
      assert.deepEqual(await other.get(session.id), { a: 1 });
    }
  });

  test("cut off, then destroyed: no copy is left", async (t) => {
    const { gate, store, other } = await setUp(t);
    for (const step of [ADD, LEAVE]) {
      for (const lost of ["request", "reply"] as const) {
        const id = await storedSession(other, { a: 1 });
        const session = await store.open(id);
        session.regenerate();
        gate.lose(lost, step);
        await assert.rejects(store.storeSession(session), MemcachedError);
        session.destroy();
        assert.equal(await store.storeSession(session), "deleted");
        assert.deepEqual(await present(other, id, session.id), [false, false]);
      }
    }
  });
});

test("regenerate needs a server that keeps tokens: else an error, and nothing is changed", async (t) => {
  const server = await startMemcached({ args: ["-C"] });
  t.after(() => server.stop());
  for (const protocol of ["meta", "classic"] as const) {
    const stores = new Stores(protocol);
    t.after(() => stores.stop());
    const store = stores.make({ servers: server.address });
    const id = await storedSession(store, { a: 1 });
    const session = await store.open(id);
    session.regenerate();
    await assert.rejects(store.storeSession(session), UnsupportedError);
    assert.equal(await store.has(id), true);
    assert.equal(await store.has(session.id), false);
    const known = await store.open(id);
    known.set("a", 2);
    await assert.rejects(store.storeSession(known), UnsupportedError);
    await assert.rejects(store.save(id, {}, { version: 0n }), UnsupportedError);
    await assert.rejects(store.pop(id), UnsupportedError);
    assert.deepEqual(await store.get(id), { a: 1 });
    const plain = stores.make({ servers: server.address, lastWriteWins: true });
    const moved = await plain.open(id);
    moved.regenerate();
    assert.equal(await plain.storeSession(moved), "stored");
    assert.deepEqual(await plain.get(moved.id), { a: 1 });
    assert.equal(await plain.has(id), false);
  }
});

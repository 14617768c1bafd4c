import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { ConflictError, MemcachedError, UnsupportedError } from "../../mod.ts";
import { startMemcached } from "../support/memcached.ts";
import { ADD, GETS, MARK, present, type Scene, setScene } from "./moves.ts";
import { describeDialects, fieldsOf, storedSession, Stores } from "./stores.ts";

describeDialects("regenerate", (stores) => {
  const setUp = (t: TestContext): Promise<Scene> => setScene(t, stores);

  test("the id is new at once; the save adds the session there, then replaces the old one by a marker", async (t) => {
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
    for (const [i, step] of [GETS, ADD, MARK].entries()) assert.match(gate.lines[i] ?? "", step);
    assert.deepEqual(await present(other, id, session.id), [false, true]);
    assert.deepEqual(fieldsOf(await other.open(session.id)), { a: 1 });
    session.set("b", 2);
    assert.equal(await store.storeSession(session), "stored");
    assert.deepEqual(await other.get(session.id), { a: 1, b: 2 });
    const marker = await stores.stored(other.mcKey(id));
    assert.deepEqual([marker?.bytes.length, marker?.flags], [16, 256 | 2048]);
    await stores.assertTtl(other.mcKey(id), 60);
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

  test("twice before the save does the same as once", async (t) => {
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

  test("every reader takes a marker for absent, and no touch makes it live longer", async (t) => {
    const { store, other } = await setUp(t);
    const id = await storedSession(other, { a: 1 });
    const late = stores.make({ alwaysSave: true, ttl: 900 });
    const unchanged = await late.open(id);
    const session = await store.open(id);
    session.regenerate();
    await store.storeSession(session);
    assert.equal(await other.get(id), undefined);
    assert.equal(await other.has(id), false);
    assert.equal(await other.pop(id), undefined);
    assert.equal(await other.touch(id, 900), false);
    assert.equal((await other.open(id)).isNew, true);
    assert.equal(await late.storeSession(unchanged), "gone");
    assert.equal(await other.update(id, () => undefined), undefined);
    await assert.rejects(other.update(id, () => ({ b: 1 })), ConflictError);
    await assert.rejects(other.setDefault(id, { b: 1 }), ConflictError);
    await stores.assertTtl(other.mcKey(id), 60);
    assert.deepEqual(await other.get(session.id), { a: 1 });
    await other.set(id, { b: 1 });
    assert.deepEqual(await other.get(id), { b: 1 }, "set overwrites, as it says");
  });

  test("a touch that hits a marker sets its minute again", async (t) => {
    const { gate, store, other } = await setUp(t);
    const touches: Readonly<Record<string, (id: string) => Promise<unknown>>> = {
      open: (id) => store.open(id).then(({ isNew }) => !isNew),
      touch: (id) => store.touch(id, 900),
    };
    for (const [name, touch] of Object.entries(touches)) {
      const id = await storedSession(other, { a: 1 });
      await stores.raw.touch(other.mcKey(id), 20);
      const session = await other.open(id);
      await stores.raw.touch(other.mcKey(id), 20);
      session.regenerate();
      gate.before(/^(mg .* T|touch )/, () => other.storeSession(session));
      assert.equal(await touch(id), false, name);
      assert.equal(gate.done, true);
      await stores.assertTtl(other.mcKey(id), 60);
      assert.deepEqual(await other.get(session.id), { a: 1 });
    }
  });

  test("a session that is opened by the old id is not stored until it has a new id", async (t) => {
    const { gate, store, other } = await setUp(t);
    const id = await storedSession(other, { a: 1 });
    const session = await store.open(id);
    session.regenerate();
    await store.storeSession(session);
    const late = await store.open(id);
    assert.equal(late.isNew, true);
    assert.equal(late.has("a"), false);
    gate.clear();
    assert.equal(await store.storeSession(late), "gone");
    late.set("b", 2);
    assert.equal(await store.storeSession(late), "gone");
    assert.deepEqual(gate.lines, []);
    late.regenerate();
    assert.equal(await store.storeSession(late), "stored");
    assert.deepEqual(await other.get(late.id), { b: 2 });
    assert.deepEqual(await other.get(session.id), { a: 1 });
  });

  test("cut off at any step: one of the two is always there, and the next save finishes the move", async (t) => {
    const { gate, store, other } = await setUp(t);
    for (const step of [GETS, ADD, MARK]) {
      for (const lost of ["request", "reply"] as const) {
        const id = await storedSession(other, { a: 1 });
        const session = await store.open(id);
        session.set("b", 2);
        session.regenerate();
        gate.lose(lost, step);
        if (step === ADD) {
          await assert.rejects(store.storeSession(session), MemcachedError);
          assert.equal(session.isDirty(), true);
        } else {assert.equal(
            await store.storeSession(session),
            "stored",
            "the marker is looked up at once",
          );}
        assert.equal(gate.done, true);
        assert.ok((await present(other, id, session.id)).includes(true), "neither");
        session.set("c", 3);
        assert.equal(await store.storeSession(session), "stored");
        assert.deepEqual(await present(other, id, session.id), [false, true]);
        assert.deepEqual(await other.get(session.id), { a: 1, b: 2, c: 3 });
      }
    }
  });

  test("the marker's fate is unknown until the deadline: the next save finds out", async (t) => {
    const { gate, store, other } = await setUp(t);
    for (const lost of ["request", "reply"] as const) {
      for (const between of [false, true]) {
        const id = await storedSession(other, { a: 1 });
        const session = await store.open(id);
        session.regenerate();
        const first = session.id;
        gate.lose(lost, MARK);
        let release = (): void => {};
        gate.before(GETS, () => undefined); // the first read
        gate.before(GETS, () => new Promise<void>((resolve) => release = resolve));
        await assert.rejects(store.storeSession(session, { timeout: 200 }), MemcachedError);
        release();
        assert.equal(session.isDirty(), true);
        assert.deepEqual(await present(other, id, first), [lost === "request", true]);
        session.set("b", 2);
        if (between) session.regenerate();
        assert.equal(await store.storeSession(session), "stored");
        assert.deepEqual(await other.get(session.id), { a: 1, b: 2 });
        assert.deepEqual(await present(other, id, first), [false, !between]);
      }
    }
  });

  test("cut off, written elsewhere under the old id: the next save merges", async (t) => {
    const { gate, store, other } = await setUp(t);
    for (const lost of ["request", "reply"] as const) {
      for (const between of [false, true]) {
        const id = await storedSession(other, { a: 1 });
        const session = await store.open(id);
        session.set("b", 2);
        session.regenerate();
        gate.lose(lost, ADD);
        await assert.rejects(store.storeSession(session), MemcachedError);
        await other.update(id, (fields) => ({ ...fields, c: 3 }));
        if (between) session.regenerate();
        assert.equal(await store.storeSession(session), "stored");
        assert.deepEqual(await other.get(session.id), { a: 1, b: 2, c: 3 });
        assert.equal(await other.has(id), false);
      }
    }
  });

  test("cut off, then ended elsewhere under the old id: gone, and so is the new copy", async (t) => {
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

  test("cut off, then regenerated again: only the last id is left", async (t) => {
    const { gate, store, other } = await setUp(t);
    for (const lost of ["request", "reply"] as const) {
      const id = await storedSession(other, { a: 1 });
      const session = await store.open(id);
      session.regenerate();
      const between = session.id;
      gate.lose(lost, ADD);
      await assert.rejects(store.storeSession(session), MemcachedError);
      session.regenerate();
      session.set("b", 2);
      assert.equal(await store.storeSession(session), "stored");
      assert.deepEqual(await present(other, id, between, session.id), [false, false, true]);
      assert.deepEqual(await other.get(session.id), { a: 1, b: 2 });
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
      gate.clear();
      assert.equal(await store.storeSession(session), "stored");
      assert.equal(session.isNew, false);
      assert.deepEqual(await present(other, first, session.id), [false, true]);
      assert.deepEqual(await other.get(session.id), { a: 1 });
      // Nothing is stored under the old id, so the marker is added: a late add will find it there.
      assert.match(gate.lines.at(-1) as string, MARK);
      assert.equal(await other.setDefault(session.id, {}).then(({ a }) => a), 1);
    }
  });

  test("cut off, then destroyed: no copy is left", async (t) => {
    const { gate, store, other } = await setUp(t);
    for (const lost of ["request", "reply"] as const) {
      const id = await storedSession(other, { a: 1 });
      const session = await store.open(id);
      session.regenerate();
      gate.lose(lost, ADD);
      await assert.rejects(store.storeSession(session), MemcachedError);
      session.destroy();
      assert.equal(await store.storeSession(session), "deleted");
      assert.deepEqual(await present(other, id, session.id), [false, false]);
    }
  });
});

test("on a server that keeps no tokens regenerate is an error, and nothing is changed", async (t) => {
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

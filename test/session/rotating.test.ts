import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { SessionStore } from "../../mod.ts";
import { type Gate, startGate } from "./gate.ts";
import { ADD, GETS, LEAVE } from "./moves.ts";
import { describeDialects, type Fields, fieldsOf, someId, storedSession } from "./stores.ts";

const OLD = "the old secret, long enough";
const NEW = "the new secret, long enough";

describeDialects("a new secret before the old one", (stores) => {
  const before = (): SessionStore<Fields> => stores.make({ secret: OLD });
  const after = (): SessionStore<Fields> => stores.make({ secret: NEW });
  const both = (servers?: string): SessionStore<Fields> =>
    stores.make({ secret: [NEW, OLD], ...(servers === undefined ? {} : { servers }) });

  async function behindGate(t: TestContext): Promise<{ gate: Gate; store: SessionStore<Fields> }> {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    return { gate, store: both(gate.address) };
  }

  test("values under the old one are found by all methods", async () => {
    const [old, store] = [before(), both()];
    const id = someId();
    await old.set(id, { a: 1 });
    assert.deepEqual(await store.get(id), { a: 1 });
    assert.equal(await store.has(id), true);
    assert.equal(await store.touch(id, 20), true);
    await stores.assertTtl(old.mcKey(id), 20);
    assert.deepEqual(await store.setDefault(id, { a: 2 }), { a: 1 });
    assert.equal(await store.save(id, { a: 2 }), "conflict");
    const loaded = await store.load(id);
    assert.deepEqual(loaded?.value, { a: 1 });
    assert.equal(await store.save(id, { a: 3 }, { version: loaded?.version as bigint }), "stored");
    assert.equal(
      await store.save(id, { a: 4 }, { version: loaded?.version as bigint }),
      "conflict",
    );
    assert.deepEqual(await store.pop(id), { a: 3 });
    assert.equal(await store.pop(id), undefined);
    assert.equal(await store.save(id, { a: 4 }, { version: loaded?.version as bigint }), "gone");
    await old.set(id, { a: 5 });
    assert.equal(await store.delete(id), true);
    assert.equal(await old.has(id), false);
  });

  test("pop whose delete of the older copy fails takes nothing out", async (t) => {
    const { gate, store } = await behindGate(t);
    const [old, fresh] = [before(), after()];
    const id = someId();
    await old.set(id, { a: 1 });
    await fresh.set(id, { a: 2 });
    gate.before(/^(md \S+ O|delete )/, () => gate.shut());
    await assert.rejects(store.pop(id));
    await gate.reopen();
    assert.deepEqual(await fresh.get(id), { a: 2 });
  });

  test("values are written under the new one, and not left under the old one", async () => {
    const [old, fresh, store] = [before(), after(), both()];
    assert.equal(store.mcKey("id"), fresh.mcKey("id"));
    const id = someId();
    await old.set(id, { a: 1 });
    await store.set(id, { a: 2 });
    assert.deepEqual(await fresh.get(id), { a: 2 });
    assert.equal(await old.has(id), false);
    const other = someId();
    assert.deepEqual(await store.setDefault(other, { b: 1 }), { b: 1 });
    assert.deepEqual(await fresh.get(other), { b: 1 });
    const session = await store.open();
    session.set("c", 1);
    await store.storeSession(session);
    assert.deepEqual(await fresh.get(session.id), { c: 1 });
  });

  test("a session moves with the next save, changed or not, and keeps its id", async () => {
    const [old, fresh, store] = [before(), after(), both()];
    for (const change of [{}, { b: 2 }]) {
      const id = await storedSession(old, { a: 1 });
      const session = await store.open(id);
      assert.equal(session.id, id);
      for (const [name, value] of Object.entries(change)) session.set(name, value);
      assert.equal(await store.storeSession(session), "stored");
      assert.deepEqual(await fresh.get(id), { a: 1, ...change });
      assert.equal(await old.has(id), false);
      assert.equal(await store.storeSession(session), "unchanged");
      session.set("c", 3);
      assert.equal(await store.storeSession(session), "stored");
      assert.deepEqual(await fresh.get(id), { a: 1, ...change, c: 3 });
    }
  });

  test("requests that move the same session at the same time lose nothing", async () => {
    const [old, fresh, store] = [before(), after(), both()];
    const id = await storedSession(old, { a: 1 });
    const handles = await Promise.all([0, 1, 2, 3].map(() => store.open(id)));
    const saves = handles.map((session, n) => {
      session.set(`n${n}`, n);
      return store.storeSession(session);
    });
    assert.deepEqual(await Promise.all(saves), Array(4).fill("stored"));
    assert.deepEqual(await fresh.get(id), { a: 1, n0: 0, n1: 1, n2: 2, n3: 3 });
    assert.equal(await old.has(id), false);
  });

  test("another request moves it at any step of this one's move: nothing is lost", async (t) => {
    const { gate, store } = await behindGate(t);
    const [old, fresh, other] = [before(), after(), both()];
    for (const step of [GETS, ADD, LEAVE]) {
      const id = await storedSession(old, { a: 1 });
      const [one, two] = [await store.open(id), await other.open(id)];
      one.set("b", 2);
      two.set("c", 3);
      gate.before(step, () => other.storeSession(two));
      assert.equal(await store.storeSession(one), "stored");
      assert.equal(gate.done, true);
      assert.deepEqual(await fresh.get(id), { a: 1, b: 2, c: 3 });
      assert.deepEqual(fieldsOf(await store.open(id)), { a: 1, b: 2, c: 3 });
      assert.equal(await old.has(id), false);
    }
  });

  test("regenerated while another request moves it too: it goes on under the new id alone", async (t) => {
    const { gate, store } = await behindGate(t);
    const [old, fresh, other] = [before(), after(), both()];
    for (const step of [GETS, ADD, LEAVE]) {
      const id = await storedSession(old, { a: 1 });
      const [one, two] = [await store.open(id), await other.open(id)];
      one.set("b", 2);
      two.set("c", 3);
      gate.before(step, async () => {
        await other.storeSession(two);
        one.regenerate();
      });
      assert.equal(await store.storeSession(one), "stored");
      assert.equal(gate.done, true);
      assert.equal(await store.storeSession(one), "stored");
      assert.deepEqual([await old.has(id), await fresh.has(id)], [false, false]);
      assert.deepEqual(await fresh.get(one.id), { a: 1, b: 2, c: 3 });
    }
  });

  test("ended elsewhere at any step of the move: gone, and no copy is left", async (t) => {
    const { gate, store } = await behindGate(t);
    const [old, fresh, other] = [before(), after(), both()];
    for (const step of [GETS, ADD, LEAVE]) {
      const id = await storedSession(old, { a: 1 });
      const session = await store.open(id);
      session.set("b", 2);
      gate.before(step, () => other.delete(id));
      assert.equal(await store.storeSession(session), "gone");
      assert.deepEqual([await old.has(id), await fresh.has(id)], [false, false]);
    }
  });

  test("a move that was cut off: the new copy counts, and logging out ends both", async (t) => {
    const { gate, store } = await behindGate(t);
    const [old, fresh, other] = [before(), after(), both()];
    const id = await storedSession(old, { a: 1 });
    const session = await store.open(id);
    session.set("b", 2);
    gate.lose("request", LEAVE);
    await assert.rejects(store.storeSession(session));
    assert.deepEqual([await old.has(id), await fresh.has(id)], [true, true]);
    assert.deepEqual(await other.get(id), { a: 1, b: 2 });
    const last = await other.open(id);
    last.destroy();
    assert.equal(await other.storeSession(last), "deleted");
    assert.deepEqual([await old.has(id), await fresh.has(id)], [false, false]);
    assert.equal(await store.storeSession(session), "gone");
  });

  test("a move that was cut off: pop and regenerate leave no copy either", async () => {
    const [old, fresh, store] = [before(), after(), both()];
    const id = someId();
    await old.set(id, { a: 1 });
    await fresh.set(id, { a: 2 });
    assert.deepEqual(await store.pop(id), { a: 2 });
    assert.deepEqual([await old.has(id), await fresh.has(id)], [false, false]);
    await old.set(id, { a: 1 });
    await fresh.set(id, { a: 2 });
    const session = await store.open(id);
    session.regenerate();
    assert.equal(await store.storeSession(session), "stored");
    assert.deepEqual([await old.has(id), await fresh.has(id)], [false, false]);
    assert.deepEqual(await fresh.get(session.id), { a: 2 });
  });

  test("the lost add of a move is settled by the next save", async (t) => {
    const { gate, store } = await behindGate(t);
    const [old, fresh] = [before(), after()];
    for (const lost of ["request", "reply"] as const) {
      const id = await storedSession(old, { a: 1 });
      const session = await store.open(id);
      session.set("b", 2);
      gate.lose(lost, ADD);
      await assert.rejects(store.storeSession(session));
      session.set("c", 3);
      assert.equal(await store.storeSession(session), "stored");
      assert.deepEqual(await fresh.get(id), { a: 1, b: 2, c: 3 });
    }
  });

  test("regenerate, of a session under the old one, that others move meanwhile", async (t) => {
    const { gate, store } = await behindGate(t);
    const [old, fresh, other] = [before(), after(), both()];
    for (const step of [GETS, ADD, LEAVE]) {
      const id = await storedSession(old, { a: 1 });
      const [one, two] = [await store.open(id), await other.open(id)];
      one.set("b", 2);
      one.regenerate();
      two.set("c", 3);
      gate.before(step, () => other.storeSession(two));
      assert.equal(await store.storeSession(one), "stored");
      assert.equal(gate.done, true);
      assert.deepEqual(await fresh.get(one.id), { a: 1, b: 2, c: 3 });
      assert.deepEqual([await old.has(id), await fresh.has(id)], [false, false]);
    }
  });

  test("three secrets", async () => {
    const oldest = stores.make({ secret: "the oldest secret of all" });
    const store = stores.make({ secret: [NEW, OLD, "the oldest secret of all"] });
    const id = await storedSession(oldest, { a: 1 });
    const session = await store.open(id);
    assert.equal(await store.storeSession(session), "stored");
    assert.deepEqual(await after().get(id), { a: 1 });
    assert.equal(await oldest.has(id), false);
  });

  test("the old one is removed: what stood under it is no session any more", async () => {
    const [old, fresh] = [before(), after()];
    const id = await storedSession(old, { a: 1 });
    assert.equal(await fresh.get(id), undefined);
    const session = await fresh.open(id);
    assert.equal(session.isNew, true);
    assert.notEqual(session.id, id);
  });
});

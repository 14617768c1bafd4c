import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Session } from "../../mod.ts";
import { ADD, CAS, GETS, MARK, present, type Scene, setScene } from "./moves.ts";
import { describeDialects, storedSession } from "./stores.ts";

describeDialects("regenerate while a save is under way", (stores) => {
  const setUp = (t: TestContext): Promise<Scene> => setScene(t, stores);

  test("a save of a new or known session writes under the id that it was called with", async (t) => {
    const { gate, store, other } = await setUp(t);
    const known = await storedSession(other, { a: 1 });
    const handles = [await store.open(), await store.open(known)];
    for (const [session, write] of [[handles[0], ADD], [handles[1], CAS]] as const) {
      const { id } = session as Session;
      session?.set("b", 2);
      gate.before(write, () => session?.regenerate());
      assert.equal(await store.storeSession(session as Session), "stored");
      assert.equal(gate.done, true);
      assert.equal(session?.isDirty(), true);
      assert.deepEqual(await present(other, id, session?.id as string), [true, false]);
      assert.equal(await store.storeSession(session as Session), "stored");
      assert.deepEqual(await present(other, id, session?.id as string), [false, true]);
      assert.equal((await other.get(session?.id as string))?.["b"], 2);
    }
  });

  test("a save that already moves the session: it ends under the last id", async (t) => {
    const { gate, store, other } = await setUp(t);
    for (const step of [GETS, ADD, MARK]) {
      for (const ended of [false, true]) {
        const id = await storedSession(other, { a: 1 });
        const session = await store.open(id);
        session.set("b", 2);
        session.regenerate();
        const between = session.id;
        gate.before(step, async () => {
          session.regenerate();
          await (ended ? other.delete(id) : other.update(id, (fields) => ({ ...fields, c: 3 })));
        });
        assert.equal(await store.storeSession(session), ended ? "gone" : "stored");
        assert.equal(gate.done, true);
        const ids = [id, between, session.id];
        if (!ended) assert.deepEqual(await present(other, ...ids), [false, true, false]);
        assert.equal(await store.storeSession(session), ended ? "gone" : "stored");
        assert.deepEqual(await present(other, ...ids), [false, false, !ended]);
        if (!ended) assert.deepEqual(await other.get(session.id), { a: 1, b: 2, c: 3 });
      }
    }
  });

  test("overlapping saves move the session once, and each stores it as it was at its call", async (t) => {
    const { store, other } = await setUp(t);
    const id = await storedSession(other, { a: 1 });
    const session = await store.open(id);
    session.regenerate();
    const saves = [store.storeSession(session), store.storeSession(session.set("b", 2))];
    assert.deepEqual(await Promise.all(saves), ["stored", "stored"]);
    assert.deepEqual(await present(other, id, session.id), [false, true]);
    assert.deepEqual(await other.get(session.id), { a: 1, b: 2 });
  });
});

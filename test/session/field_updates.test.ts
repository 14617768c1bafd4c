import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionLostError, SerializationError } from "../../mod.ts";
import { startGate } from "./gate.ts";
import { ADD, CAS, MARK } from "./moves.ts";
import { describeDialects, fieldsOf, someId, storedSession } from "./stores.ts";

const push = (word: string) => (list: unknown): string[] => [...list as string[] ?? [], word];

describeDialects("Session.update", (stores) => {
  test("sets the field now, and is a change", async () => {
    const store = stores.make<{ n?: number; list: string[] }>();
    const session = await store.open();
    assert.equal(session.update("n", (n = 0) => n + 1).update("n", (n = 0) => n + 1), session);
    assert.equal(session.get("n"), 2);
    assert.equal(session.isDirty(), true);
    session.update("n", () => undefined as never);
    assert.equal(session.has("n"), false, "undefined removes the field");
    session.update("list", push("a"));
    assert.equal(await store.storeSession(session), "stored");
    assert.deepEqual(fieldsOf(await store.open(session.id)), { list: ["a"] });
  });

  test("ten requests that each push to one list lose no entry", async () => {
    const store = stores.make();
    const id = await storedSession(store, { list: ["first"], n: 0 });
    const requests = await Promise.all(Array.from({ length: 10 }, () => store.open(id)));
    const saves = requests.map((session, n) => {
      session.update("list", push(`${n}`)).update("n", (n) => n as number + 1);
      return store.storeSession(session);
    });
    assert.deepEqual(new Set(await Promise.all(saves)), new Set(["stored"]));
    const { list, n } = fieldsOf(await store.open(id)) as { list: string[]; n: number };
    assert.equal(n, 10);
    assert.deepEqual(new Set(list), new Set(["first", ..."0123456789"]));
    assert.equal(list.length, 11);
  });

  test("the handle has what was merged, and goes on from there", async () => {
    const store = stores.make();
    const id = await storedSession(store, { list: ["a"], x: 1 });
    const [one, two] = [await store.open(id), await store.open(id)];
    one.update("list", push("b"));
    two.update("list", push("c")).set("y", 2);
    assert.equal(await store.storeSession(one), "stored");
    assert.equal(await store.storeSession(two), "stored");
    assert.deepEqual(fieldsOf(two), { list: ["a", "b", "c"], x: 1, y: 2 });
    two.update("list", push("d"));
    one.update("list", push("e"));
    assert.equal(await store.storeSession(one), "stored");
    assert.equal(await store.storeSession(two), "stored");
    assert.deepEqual(two.get("list"), ["a", "b", "c", "e", "d"]);
    assert.equal(await store.storeSession(two), "unchanged");
  });

  test("several updates run in order; set, delete and clear replace them; other changes win over them as set does", async () => {
    const store = stores.make();
    const cases: readonly [
      what: string,
      change: (s: Awaited<ReturnType<typeof store.open>>) => unknown,
      list: unknown,
    ][] = [
      ["in order", (s) => s.update("list", push("1")).update("list", push("2")), [
        "a",
        "o",
        "1",
        "2",
      ]],
      ["then set", (s) => s.update("list", push("1")).set("list", ["s"]), ["s"]],
      ["then delete", (s) => s.update("list", push("1")).delete("list"), undefined],
      ["then clear", (s) => s.update("list", push("1")).clear(), undefined],
      ["set before", (s) => s.set("list", ["s"]).update("list", push("1")), ["s", "1"]],
      ["deleted before", (s) => {
        s.delete("list");
        s.update("list", push("1"));
      }, ["1"]],
      ["changed within, before", (s) => {
        (s.get("list") as string[]).push("w");
        s.update("list", push("1"));
      }, ["a", "w", "1"]],
      ["changed within, after", (s) => {
        s.update("list", push("1"));
        (s.get("list") as string[]).push("w");
      }, ["a", "1", "w"]],
      ["taken out by it", (s) => s.update("list", () => undefined), undefined],
      ["put there by it, of what another has put there", (s) => s.update("new", push("1")), [
        "a",
        "o",
      ]],
    ];
    for (const [what, change, list] of cases) {
      const id = await storedSession(store, { list: ["a"] });
      const [session, other] = [await store.open(id), await store.open(id)];
      change(session);
      other.update("list", push("o")).update("new", push("o"));
      assert.equal(await store.storeSession(other), "stored");
      assert.equal(await store.storeSession(session), "stored");
      const stored = fieldsOf(await store.open(id));
      assert.deepEqual(stored["list"], list, what);
      assert.deepEqual(fieldsOf(session), stored, what);
      if (what.startsWith("put")) assert.deepEqual(stored["new"], ["o", "1"]);
    }
  });

  test("an update survives regenerate too", async (t) => {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    const [store, other] = [stores.make({ servers: gate.address }), stores.make()];
    for (const step of [ADD, MARK]) {
      const id = await storedSession(other, { list: ["a"] });
      const session = await store.open(id);
      session.update("list", push("b")).regenerate();
      gate.before(step, async () => {
        const another = await other.open(id);
        assert.equal(await other.storeSession(another.update("list", push("c"))), "stored");
      });
      assert.equal(await store.storeSession(session), "stored");
      assert.deepEqual(await other.get(session.id), { list: ["a", "c", "b"] });
    }
  });

  test("an update is stored after a failed save, together with later updates", async (t) => {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    const [store, other] = [stores.make({ servers: gate.address }), stores.make()];
    const id = await storedSession(other, { list: ["a"] });
    const session = await store.open(id);
    session.update("list", push("b"));
    gate.lose("request", CAS);
    const failed = store.storeSession(session);
    session.update("list", push("c"));
    await assert.rejects(failed, ConnectionLostError);
    session.update("list", push("d"));
    await other.storeSession((await other.open(id)).update("list", push("o")));
    assert.equal(await store.storeSession(session), "stored");
    assert.deepEqual(await other.get(id), { list: ["a", "o", "b", "c", "d"] });
    assert.deepEqual(session.get("list"), ["a", "o", "b", "c", "d"]);
  });

  test("an update that a save of unknown outcome has stored counts once, beside other requests' updates", async (t) => {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    const [store, other] = [stores.make({ servers: gate.address }), stores.make()];
    const id = await storedSession(other, { list: ["a"] });
    const fresh = store.create();
    for (const session of [await store.open(id), fresh]) {
      const write = session === fresh ? ADD : CAS;
      const list = session === fresh ? [] : ["a"];
      session.update("list", push("b"));
      gate.lose("reply", write);
      await assert.rejects(store.storeSession(session), ConnectionLostError);
      session.update("list", push("c"));
      gate.before(CAS, async () => {
        const another = await other.open(session.id);
        assert.equal(await other.storeSession(another.update("list", push("o"))), "stored");
      });
      assert.equal(await store.storeSession(session), "stored");
      assert.equal(gate.done, true);
      assert.deepEqual(await other.get(session.id), { list: [...list, "b", "o", "c"] });
    }
  });

  test("when saves overlap, each stores its own updates", async () => {
    const [store, other] = [stores.make(), stores.make()];
    const id = await storedSession(store, { list: ["a"] });
    const session = await store.open(id);
    await other.storeSession((await other.open(id)).update("list", push("o")));
    const saves = [1, 2, 3].map((n) => store.storeSession(session.update("list", push(`${n}`))));
    session.update("list", push("later"));
    assert.deepEqual(await Promise.all(saves), ["stored", "stored", "stored"]);
    assert.deepEqual(await other.get(id), { list: ["a", "o", "1", "2", "3"] });
    assert.deepEqual(session.get("list"), ["a", "o", "1", "2", "3", "later"]);
    assert.equal(await store.storeSession(session), "stored");
    assert.deepEqual(await other.get(id), { list: ["a", "o", "1", "2", "3", "later"] });
  });

  test("an update of a failed save is stored by the next save, even if that was called before the failure", async (t) => {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    const [store, other] = [stores.make({ servers: gate.address }), stores.make()];
    const id = await storedSession(other, { list: ["a"] });
    const session = await store.open(id);
    gate.lose("request", CAS);
    gate.before(CAS, async () => {
      await other.storeSession((await other.open(id)).update("list", push("o")));
    });
    const saves = ["b", "c"].map((word) => store.storeSession(session.update("list", push(word))));
    const [failed, saved] = await Promise.allSettled(saves);
    assert.equal(failed?.status, "rejected");
    assert.deepEqual(saved, { status: "fulfilled", value: "stored" });
    assert.deepEqual(await other.get(id), { list: ["a", "o", "b", "c"] });
  });

  test("if the function throws in a merge, the save rejects and the session stays as it was, and dirty", async () => {
    const store = stores.make();
    const id = await storedSession(store, { n: 1 });
    const session = await store.open(id);
    const error = new Error("no more");
    session.update("n", (n) => {
      if (n as number > 1) throw error;
      return n as number + 1;
    });
    await store.storeSession((await store.open(id)).update("n", (n) => n as number + 10));
    await assert.rejects(store.storeSession(session), (thrown) => thrown === error);
    assert.equal(session.isDirty(), true);
    assert.equal(session.get("n"), 2);
    assert.deepEqual(await store.get(id), { n: 11 });
    session.set("n", 5);
    assert.equal(await store.storeSession(session), "stored");
    assert.deepEqual(await store.get(id), { n: 5 });
  });

  test("if the function throws at once, nothing changes; wrong arguments and promises are refused", async () => {
    const session = await stores.make().open();
    session.set("n", 1).setDirty(false);
    assert.throws(() =>
      session.update("n", () => {
        throw new Error("no");
      }), /no/);
    const refused = { name: "TypeError", code: "ERR_INVALID_ARGUMENT" };
    assert.throws(() => session.update("n", 5 as never), refused);
    assert.throws(() => session.update(5 as never, () => 1), refused);
    assert.throws(() => session.update("n", () => Promise.resolve(1)), refused);
    assert.throws(() => session.update("n", () => Promise.reject(new Error("late"))), refused);
    assert.throws(
      () => session.set("f", () => 1).update("f", () => 1),
      (error) => error instanceof SerializationError && error.path === "f",
    );
    assert.equal(session.get("n"), 1);
  });

  test("does nothing after destroy, and runs once with lastWriteWins", async () => {
    const store = stores.make({ lastWriteWins: true });
    const id = await storedSession(store, { n: 1 });
    const session = await store.open(id);
    await store.set(id, { n: 10 });
    let runs = 0;
    session.update("n", (n) => {
      runs++;
      return n as number + 1;
    });
    assert.equal(await store.storeSession(session), "stored");
    assert.deepEqual(await store.get(id), { n: 2 });
    session.destroy();
    session.update("n", () => runs++);
    assert.equal(runs, 1);
    assert.equal(session.get("n"), 2);
  });

  test("a field of any name", async () => {
    const store = stores.make();
    const id = someId();
    await store.set(id, {});
    const [one, two] = [await store.open(id), await store.open(id)];
    for (const name of ["__proto__", "constructor", ""]) {
      one.update(name, push("1"));
      two.update(name, push("2"));
    }
    await store.storeSession(one);
    await store.storeSession(two);
    const session = await store.open(id);
    for (const name of ["__proto__", "constructor", ""]) {
      assert.deepEqual(session.get(name), ["1", "2"], name);
    }
  });
});

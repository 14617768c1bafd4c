import assert from "node:assert/strict";
import { test } from "node:test";
import { CorruptValueError, SerializationError } from "../../mod.ts";
import { deserialize } from "../../src/v8/mod.ts";
import { startGate } from "./gate.ts";
import { describeDialects, fieldsOf, someId, storedSession } from "./stores.ts";

/** Names the command of a line by one word, the same in both dialects. */
function verb(line: string): string {
  const [name = "", ...args] = line.split(" ");
  if (name === "ms") {
    return args.includes("ME") ? "add" : args.some((arg) => /^C\d/.test(arg)) ? "cas" : "set";
  }
  if (name === "mg") {
    return args.includes("v")
      ? (args.some((arg) => /^T/.test(arg)) ? "gets touch" : "gets")
      : "touch";
  }
  return name === "md" ? "delete" : name;
}

function verbs(lines: readonly string[]): string {
  return lines.map(verb).join(" ");
}

describeDialects("storeSession", (stores) => {
  test("new and without fields: unchanged; nothing is sent, and no connection is made", async (t) => {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    const store = stores.make({ servers: gate.address, alwaysSave: true });
    const session = await store.open();
    assert.equal(await store.storeSession(session), "unchanged");
    session.ttl = 60;
    session.set("a", 1);
    session.clear();
    session.regenerate();
    assert.equal(await store.storeSession(session), "unchanged");
    session.destroy();
    assert.equal(await store.storeSession(session), "deleted");
    assert.equal(gate.received.length, 0);
  });

  test("new: add, of the array [fields, createdAt, ttl] under flags 256 | 512", async (t) => {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    const store = stores.make({ servers: gate.address, ttl: 77 });
    const session = await store.open();
    session.set("user", "ada").set("tags", new Set(["x"]));
    assert.equal(await store.storeSession(session), "stored");
    assert.equal(verbs(gate.lines), "add");
    const stored = await stores.stored(stores.namespace + session.id);
    assert.equal(stored?.flags, 256 | 512);
    await stores.assertTtl(store.mcKey(session.id), 77);
    assert.deepEqual(deserialize(stored.bytes), [
      { user: "ada", tags: new Set(["x"]) },
      session.createdAt,
      null,
    ]);
  });

  test("loaded and changed: a read, a touch unless the server says that most of the ttl is left, one cas", async (t) => {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    const store = stores.make({ servers: gate.address });
    const id = await storedSession(store, { a: 1 });
    gate.clear();
    const session = await store.open(id);
    session.set("b", 2);
    assert.equal(await store.storeSession(session), "stored");
    assert.equal(
      verbs(gate.lines),
      stores.protocol === "meta" ? "gets cas" : "gets touch gets cas",
    );
    assert.deepEqual(fieldsOf(await store.open(id)), { a: 1, b: 2 });
  });

  test("one handle can be saved again and again", async () => {
    const store = stores.make();
    const session = await store.open();
    for (let n = 0; n < 4; n++) {
      session.set("n", n);
      assert.equal(await store.storeSession(session), "stored");
      assert.equal(await store.storeSession(session), "unchanged");
      assert.equal((await store.open(session.id)).get("n"), n);
    }
    session.destroy();
    assert.equal(await store.storeSession(session), "deleted");
    assert.equal(await store.has(session.id), false);
  });

  test("loaded and unchanged: nothing is sent, because open has set the ttl", async (t) => {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    const store = stores.make({ servers: gate.address, ttl: 300 });
    const id = await storedSession(store, { a: { b: 1 } });
    await store.touch(id, 20);
    const session = await store.open(id);
    await stores.assertTtl(store.mcKey(id), 300);
    gate.clear();
    assert.equal(await store.storeSession(session), "unchanged");
    assert.deepEqual(gate.lines, []);
  });

  test("alwaysSave: an unchanged one is touched", async (t) => {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    const store = stores.make({ servers: gate.address, ttl: 300, alwaysSave: true });
    const id = await storedSession(store, { a: 1 });
    const session = await store.open(id);
    await store.touch(id, 20);
    gate.clear();
    assert.equal(await store.storeSession(session), "touched");
    assert.equal(verbs(gate.lines), stores.protocol === "meta" ? "gets touch" : "gets touch gets");
    await stores.assertTtl(store.mcKey(id), 300);
    session.set("a", 2);
    assert.equal(await store.storeSession(session), "stored");
    await store.delete(id);
    assert.equal(await store.storeSession(session), "gone");
    assert.equal(await store.has(id), false);
  });

  test("dirty without a change: written, or at least touched", async () => {
    const store = stores.make({ ttl: 300 });
    const session = await store.open(await storedSession(store, { a: 1 }));
    for (let n = 0; n < 2; n++) {
      await store.touch(session.id, 20);
      session.setDirty();
      assert.equal(await store.storeSession(session), "stored");
      await stores.assertTtl(store.mcKey(session.id), 300);
    }
  });

  test("a change inside a value is found", async () => {
    const store = stores.make();
    const id = await storedSession(store, { cart: { items: ["tea"] }, seen: new Map([["a", 1]]) });
    const session = await store.open(id);
    (session.get("cart") as { items: string[] }).items.push("milk");
    assert.equal(session.isDirty(), false);
    assert.equal(await store.storeSession(session), "stored");
    (session.get("seen") as Map<string, number>).set("a", 2);
    assert.equal(await store.storeSession(session), "stored");
    assert.deepEqual(fieldsOf(await store.open(id)), {
      cart: { items: ["tea", "milk"] },
      seen: new Map([["a", 2]]),
    });
    session.setDirty(false);
    assert.equal(await store.storeSession(session), "unchanged");
  });

  test("the values that are sent are those at the moment of the call", async () => {
    const store = stores.make();
    const id = await storedSession(store, { list: [1] });
    const session = await store.open(id);
    const list = session.get("list") as number[];
    list.push(2);
    const saved = store.storeSession(session);
    list.push(3);
    assert.equal(await saved, "stored");
    assert.deepEqual(await store.get(id), { list: [1, 2] });
    assert.equal(await store.storeSession(session), "stored");
    assert.deepEqual(await store.get(id), { list: [1, 2, 3] });
  });

  test("a field that is set while a save is under way leaves the session dirty", async () => {
    const store = stores.make();
    const session = await store.open();
    session.set("a", 1);
    const saved = store.storeSession(session);
    session.set("b", 2);
    assert.equal(await saved, "stored");
    assert.equal(session.isDirty(), true);
    assert.equal(await store.storeSession(session), "stored");
    assert.deepEqual(await store.get(session.id), { a: 1, b: 2 });
  });

  test("saves of one handle may overlap", async () => {
    const store = stores.make();
    const session = await store.open();
    const saves = [1, 2, 3, 4, 5].map((n) => {
      session.set("n", n).set(`n${n}`, true);
      return store.storeSession(session);
    });
    assert.deepEqual(await Promise.all(saves), Array(5).fill("stored"));
    session.set("late", 1);
    const [one, two] = [store.storeSession(session), store.storeSession(session)];
    session.set("late", 2);
    assert.deepEqual(await Promise.all([one, two]), ["stored", "unchanged"]);
    assert.equal((await store.get(session.id))?.["late"], 1, "as it was at the call");
    assert.equal(session.isDirty(), true);
    assert.equal(await store.storeSession(session), "stored");
    assert.equal(session.get("n"), 5);
    assert.deepEqual(await store.get(session.id), fieldsOf(session));
  });

  test("destroyed: one delete, and no error if the session is already gone", async (t) => {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    const store = stores.make({ servers: gate.address });
    const id = await storedSession(store, { a: 1 });
    const [one, two] = [await store.open(id), await store.open(id)];
    gate.clear();
    one.destroy();
    assert.equal(await store.storeSession(one), "deleted");
    assert.equal(verbs(gate.lines), "delete");
    two.destroy();
    assert.equal(await store.storeSession(two), "deleted");
  });

  test("deleted elsewhere: gone, and nothing brings it back", async () => {
    const store = stores.make();
    const id = await storedSession(store, { a: 1 });
    const session = await store.open(id);
    await store.delete(id);
    session.set("a", 2);
    assert.equal(await store.storeSession(session), "gone");
    session.set("a", 3);
    assert.equal(await store.storeSession(session), "gone");
    session.regenerate();
    assert.equal(await store.storeSession(session), "gone");
    assert.equal(await store.has(id), false);
    assert.equal(await store.has(session.id), false);
  });

  test("deleted elsewhere after a save of the same handle: gone too", async () => {
    const store = stores.make();
    const session = await store.open();
    session.set("a", 1);
    await store.storeSession(session);
    await store.delete(session.id);
    session.set("a", 2);
    assert.equal(await store.storeSession(session), "gone");
    assert.equal(await store.has(session.id), false);
  });

  test("a plain object that set stored opens, stays one while unchanged, becomes a Session", async () => {
    const store = stores.make();
    const id = someId();
    await store.set(id, { user: "ada" });
    const before = Date.now();
    const session = await store.open(id);
    assert.equal(session.isNew, false);
    assert.ok(session.createdAt >= before, `${session.createdAt}`);
    assert.deepEqual(fieldsOf(session), { user: "ada" });
    assert.equal(await store.storeSession(session), "unchanged");
    assert.equal((await stores.stored(store.mcKey(id)))?.flags, 256);
    session.set("n", 1);
    assert.equal(await store.storeSession(session), "stored");
    assert.equal((await stores.stored(store.mcKey(id)))?.flags, 256 | 512);
    assert.deepEqual(await store.get(id), { user: "ada", n: 1 });
  });

  test("a stored value that is not an object does not open as a session", async () => {
    const store = stores.make<unknown>();
    for (const value of ["text", 5, null, [1], new Map(), new Date()]) {
      const id = someId();
      await store.set(id, value);
      await assert.rejects(store.open(id), CorruptValueError);
    }
  });

  test("a save stores the session as it was at the call, even after a save that sent nothing", async () => {
    const store = stores.make();
    const session = await store.open();
    assert.equal(await store.storeSession(session), "unchanged");
    session.set("a", 1);
    const saved = store.storeSession(session);
    session.set("a", 2);
    assert.equal(await saved, "stored");
    assert.deepEqual(await store.get(session.id), { a: 1 });
    const known = await store.open(session.id);
    known.set("a", () => 1);
    await assert.rejects(store.storeSession(known), SerializationError);
    known.set("a", 3);
    const again = store.storeSession(known);
    known.set("a", 4);
    assert.equal(await again, "stored");
    assert.deepEqual(await store.get(session.id), { a: 3 });
    assert.equal(known.isDirty(), true);
  });

  test("lastWriteWins: a session that was gone is written again when it is changed", async () => {
    const store = stores.make({ lastWriteWins: true, alwaysSave: true });
    const session = await store.open(await storedSession(store, { a: 1 }));
    await store.delete(session.id);
    assert.equal(await store.storeSession(session), "gone");
    session.set("b", 2);
    assert.equal(await store.storeSession(session), "stored");
    assert.deepEqual(await store.get(session.id), { a: 1, b: 2 });
  });

  test("lastWriteWins: a plain set, whether or not something was there", async (t) => {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    const store = stores.make({ servers: gate.address, lastWriteWins: true });
    const id = await storedSession(store, { a: 1 });
    const [one, two] = [await store.open(id), await store.open(id)];
    one.set("b", 1);
    two.set("c", 1);
    gate.clear();
    assert.equal(await store.storeSession(one), "stored");
    assert.equal(await store.storeSession(two), "stored");
    assert.deepEqual(await store.get(id), { a: 1, c: 1 });
    await store.delete(id);
    two.set("d", 1);
    assert.equal(await store.storeSession(two), "stored");
    assert.deepEqual(await store.get(id), { a: 1, c: 1, d: 1 });
    assert.equal(gate.lines.filter((line) => /^(add|cas)$/.test(verb(line))).length, 0);
    two.regenerate();
    assert.equal(await store.storeSession(two), "stored");
    assert.equal(await store.has(id), false);
    assert.equal(await store.has(two.id), true);
  });
});

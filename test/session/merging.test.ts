import assert from "node:assert/strict";
import { test } from "node:test";
import { ConflictError, CorruptValueError, type Session } from "../../mod.ts";
import { serialize } from "../../src/v8/mod.ts";
import { startFar } from "./far.ts";
import { startGate } from "./gate.ts";
import { CAS } from "./moves.ts";
import { describeDialects, type Fields, fieldsOf, someId, storedSession } from "./stores.ts";

type Change = (session: Session) => unknown;

// Two requests load the same session; one saves, then the other.
const CASES: readonly { name: string; before: Fields; one: Change; two: Change; after: Fields }[] =
  [
    {
      name: "different fields, both survive",
      before: { a: 1 },
      one: (session) => session.set("b", 2),
      two: (session) => session.set("c", 3),
      after: { a: 1, b: 2, c: 3 },
    },
    {
      name: "the same field: the later save wins",
      before: { a: 1 },
      one: (session) => session.set("a", 2),
      two: (session) => session.set("a", 3),
      after: { a: 3 },
    },
    {
      name: "one deletes, the other sets",
      before: { a: 1, b: 1 },
      one: (session) => session.delete("a"),
      two: (session) => session.set("b", 2),
      after: { b: 2 },
    },
    {
      name: "one sets, the other deletes",
      before: { a: 1, b: 1 },
      one: (session) => session.set("b", 2),
      two: (session) => session.delete("a"),
      after: { b: 2 },
    },
    {
      name: "both delete",
      before: { a: 1, b: 1 },
      one: (session) => session.delete("a"),
      two: (session) => session.delete("a"),
      after: { b: 1 },
    },
    {
      name: "one deletes what the other changes",
      before: { a: 1 },
      one: (session) => session.delete("a"),
      two: (session) => session.set("a", 2),
      after: { a: 2 },
    },
    {
      name: "one changes what the other deletes",
      before: { a: 1, b: 1 },
      one: (session) => session.set("a", 2),
      two: (session) => session.delete("a"),
      after: { b: 1 },
    },
    {
      name: "a change inside a value, without setDirty",
      before: { cart: ["tea"], seen: { n: 1 } },
      one: (session) => (session.get("cart") as string[]).push("milk"),
      two: (session) => (session.get("seen") as { n: number }).n = 2,
      after: { cart: ["tea", "milk"], seen: { n: 2 } },
    },
    {
      name: "clear takes out what was there when it was loaded",
      before: { a: 1, b: 1 },
      one: (session) => session.set("c", 1),
      two: (session) => session.clear(),
      after: { c: 1 },
    },
    {
      name: "set to what it was is no change",
      before: { a: 1, b: 1 },
      one: (session) => session.set("a", 2),
      two: (session) => session.set("a", 1).set("b", 2),
      after: { a: 2, b: 2 },
    },
    {
      name: "undefined and null are values like others",
      before: { a: undefined, b: null, c: 1 },
      one: (session) => session.delete("a"),
      two: (session) => session.set("b", undefined).set("c", null),
      after: { b: undefined, c: null },
    },
    {
      name: "a field of the name __proto__",
      before: { a: 1 },
      one: (session) => session.set("__proto__", { admin: true }),
      two: (session) => session.set("a", 2),
      after: Object.defineProperty({ a: 2 }, "__proto__", {
        value: { admin: true },
        enumerable: true,
      }),
    },
  ];

describeDialects("two saves", (stores) => {
  for (const { name, before, one: change, two: changeToo, after } of CASES) {
    test(name, async () => {
      const store = stores.make();
      const id = await storedSession(store, before);
      const [one, two] = [await store.open(id), await store.open(id)];
      change(one);
      changeToo(two);
      assert.equal(await store.storeSession(one), "stored");
      assert.equal(await store.storeSession(two), "stored");
      const stored = fieldsOf(await store.open(id));
      assert.deepEqual(new Map(Object.entries(stored)), new Map(Object.entries(after)));
      assert.deepEqual(new Map(two.entries()), new Map(Object.entries(after)));
      assert.equal(await store.storeSession(two), "unchanged");
    });
  }

  test("an object that was got before a merge still belongs to the session", async () => {
    const store = stores.make();
    const id = await storedSession(store, { cart: ["tea"], n: 1 });
    const [one, two] = [await store.open(id), await store.open(id)];
    const cart = two.get("cart") as string[];
    one.set("n", 2);
    await store.storeSession(one);
    two.set("m", 1);
    await store.storeSession(two);
    cart.push("milk");
    assert.equal(await store.storeSession(two), "stored");
    assert.deepEqual(await store.get(id), { cart: ["tea", "milk"], n: 2, m: 1 });
  });

  test("a ttl that one of the two has changed is kept", async () => {
    const store = stores.make({ ttl: 500 });
    const id = await storedSession(store, { a: 1 });
    const [one, two] = [await store.open(id), await store.open(id)];
    one.ttl = 60;
    two.set("b", 2);
    await store.storeSession(one);
    await store.storeSession(two);
    assert.equal(two.ttl, 60);
    await stores.assertTtl(store.mcKey(id), 60);
    const [three, four] = [await store.open(id), await store.open(id)];
    three.set("c", 3);
    four.ttl = 70;
    await store.storeSession(three);
    await store.storeSession(four);
    const stored = await store.open(id);
    assert.equal(stored.ttl, 70);
    assert.deepEqual(fieldsOf(stored), { a: 1, b: 2, c: 3 });
  });

  test("the creation time is that of the stored copy", async () => {
    const store = stores.make();
    const id = await storedSession(store, { a: 1 });
    const session = await store.open(id);
    const data = serialize([{ a: 1, b: 2 }, 1_000_000, null]);
    await stores.raw.set(store.mcKey(id), { data, flags: 256 | 512 });
    session.set("c", 3);
    assert.equal(await store.storeSession(session), "stored");
    assert.equal(session.createdAt, 1_000_000);
    assert.equal((await store.open(id)).createdAt, 1_000_000);
    assert.deepEqual(await store.get(id), { a: 1, b: 2, c: 3 });
  });

  test("a plain object that set has stored in its place is merged too", async () => {
    const store = stores.make();
    const id = await storedSession(store, { a: 1 });
    const session = await store.open(id);
    await store.set(id, { a: 1, b: 2 });
    session.set("c", 3);
    assert.equal(await store.storeSession(session), "stored");
    const stored = await store.open(id);
    assert.deepEqual(fieldsOf(stored), { a: 1, b: 2, c: 3 });
    assert.equal(stored.createdAt, session.createdAt);
  });

  test("a stored value that is not an object cannot be merged: an error, and the value stays", async () => {
    const store = stores.make<unknown>();
    const id = someId();
    await store.set(id, { a: 1 });
    const session = await store.open(id) as Session;
    await store.set(id, "text");
    session.set("b", 1);
    await assert.rejects(store.storeSession(session as Session<unknown>), CorruptValueError);
    assert.equal(await store.get(id), "text");
    assert.equal(session.isDirty(), true);
  });

  test("twenty requests at once lose nothing", async () => {
    const store = stores.make();
    const id = await storedSession(store, { a: 1 });
    const requests = Array.from({ length: 20 }, async (_, n) => {
      const session = await store.open(id);
      session.set(`n${n}`, n);
      return await store.storeSession(session);
    });
    assert.deepEqual(new Set(await Promise.all(requests)), new Set(["stored"]));
    assert.equal(Object.keys(await store.get(id) as Fields).length, 21);
  });

  test("others keep writing: until the deadline, then ConflictError, and still dirty", async (t) => {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    const other = stores.make();
    const store = stores.make({ servers: gate.address });
    const id = await storedSession(other, { a: 1 });
    const session = await store.open(id);
    session.set("b", 2);
    let writes = 0;
    const interfere = async (): Promise<void> => {
      writes++;
      await other.update(id, (fields) => ({ ...fields, n: writes }));
    };
    const always = (): void => gate.before(CAS, () => interfere().then(always));
    always();
    const begun = Date.now();
    await assert.rejects(store.storeSession(session, { timeout: 600 }), ConflictError);
    assert.ok(Date.now() - begun >= 550, "not before the deadline");
    assert.ok(writes > 5, `${writes} tries`);
    assert.equal(session.isDirty(), true);
    assert.deepEqual(await other.get(id), { a: 1, n: writes });
    const free = stores.make({ servers: gate.address });
    assert.equal((await free.open(id)).get("b"), undefined);
    gate.stopBefore();
    for (let n = 0; n < 10; n++) gate.before(CAS, interfere);
    assert.equal(await store.storeSession(session), "stored");
    assert.equal(gate.done, true);
    assert.deepEqual(await store.get(id), { a: 1, b: 2, n: writes });
  });

  test("twenty requests at once to a server 20 ms away all succeed within 5 s", async (t) => {
    const far = await startFar(stores.address, 20);
    t.after(() => far.stop());
    const id = await storedSession(stores.make(), { a: 1 });
    const requests = await Promise.all(Array.from({ length: 20 }, async () => {
      const store = stores.make({ servers: far.address });
      return { store, session: await store.open(id) };
    }));
    const saves = requests.map(({ store, session }, n) => {
      session.set(`n${n}`, n);
      return store.storeSession(session, { timeout: 5_000 });
    });
    assert.deepEqual(new Set(await Promise.all(saves)), new Set(["stored"]));
    assert.equal(Object.keys(await stores.make().get(id) as Fields).length, 21);
  });

  test("deleted while it is being merged: gone", async (t) => {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    const other = stores.make();
    const store = stores.make({ servers: gate.address });
    const id = await storedSession(other, { a: 1 });
    const session = await store.open(id);
    session.set("b", 2);
    const cas = /^(ms .* C|cas )/;
    gate.before(cas, () => other.update(id, (fields) => ({ ...fields, n: 1 })));
    gate.before(cas, () => other.delete(id));
    assert.equal(await store.storeSession(session), "gone");
    assert.equal(await store.has(id), false);
  });
});

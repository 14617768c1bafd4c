import assert from "node:assert/strict";
import { test } from "node:test";
import { CorruptValueError, type SessionStore } from "../../mod.ts";
import { startGate } from "./gate.ts";
import { CAS } from "./moves.ts";
import { describeDialects, type Fields, fieldsOf, someId, storedSession } from "./stores.ts";

const OLD = "the old secret, long enough";
const NEW = "the new secret, long enough";

describeDialects("a list of secrets", (stores) => {
  const before = (): SessionStore<Fields> => stores.make({ secret: OLD });
  const after = (): SessionStore<Fields> => stores.make({ secret: NEW });
  const both = (): SessionStore<Fields> => stores.make({ secret: [NEW, OLD] });
  /** This store is deployed first: it opens what the new secret seals, but still seals with the old one. */
  const prepared = (): SessionStore<Fields> => stores.make({ secret: [OLD, NEW] });

  test("one id has one key, whichever the secrets are", () => {
    const keys = [before(), after(), both(), prepared()].map((store) => store.mcKey("id"));
    assert.equal(new Set(keys).size, 1);
  });

  test("all methods open what each secret has sealed, and seal with the first", async () => {
    const [old, fresh, store] = [before(), after(), both()];
    const id = someId();
    await old.set(id, { a: 1 });
    assert.deepEqual(await store.get(id), { a: 1 });
    assert.equal(await store.has(id), true);
    assert.equal(await store.touch(id, 20), true);
    await stores.assertTtl(old.mcKey(id), 20);
    assert.deepEqual(await store.setDefault(id, { a: 2 }), { a: 1 });
    await assert.rejects(fresh.get(id), CorruptValueError);
    await store.set(id, { a: 3 });
    assert.deepEqual(await fresh.get(id), { a: 3 });
    assert.deepEqual(await store.pop(id), { a: 3 });
    await old.set(id, { a: 5 });
    assert.equal(await store.delete(id), true);
    assert.equal(await old.has(id), false);
  });

  test("the next save seals a session with the first secret, changed or not, by cas", async (t) => {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    const [old, fresh] = [before(), after()];
    for (const lastWriteWins of [false, true]) {
      const store = stores.make({ servers: gate.address, secret: [NEW, OLD], lastWriteWins });
      for (const change of [{}, { b: 2 }]) {
        const id = await storedSession(old, { a: 1 });
        const session = await store.open(id);
        assert.equal(session.id, id);
        for (const [name, value] of Object.entries(change)) session.set(name, value);
        gate.clear();
        assert.equal(await store.storeSession(session), "stored");
        const plain = lastWriteWins && Object.hasOwn(change, "b");
        assert.equal(CAS.test(gate.lines[0] as string), !plain);
        assert.equal(gate.lines.length, 1);
        assert.deepEqual(await fresh.get(id), { a: 1, ...change });
        assert.equal(await store.storeSession(session), "unchanged");
      }
    }
  });

  test("sealing it again overwrites nothing that others have changed or ended", async (t) => {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    const other = both();
    for (const lastWriteWins of [false, true]) {
      const store = stores.make({ servers: gate.address, secret: [NEW, OLD], lastWriteWins });
      const id = await storedSession(before(), { a: 1 });
      const session = await store.open(id);
      gate.before(CAS, () => other.update(id, (fields) => ({ ...fields, b: 2 })));
      assert.equal(await store.storeSession(session), "stored");
      assert.deepEqual(await store.get(id), { a: 1, b: 2 });
      const ended = await store.open(await storedSession(before(), { a: 1 }));
      await other.delete(ended.id);
      assert.equal(await store.storeSession(ended), "gone");
      assert.equal(await store.has(ended.id), false);
    }
  });

  test("while one request seals it again, others find it, save it and end it", async (t) => {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    const other = both();
    const store = stores.make({ servers: gate.address, secret: [NEW, OLD] });
    const id = await storedSession(before(), { a: 1 });
    const [one, two] = [await store.open(id), await other.open(id)];
    one.set("b", 2);
    two.set("c", 3);
    gate.before(CAS, async () => {
      assert.deepEqual(fieldsOf(await other.open(id)), { a: 1 });
      assert.equal(await other.storeSession(two), "stored");
    });
    assert.equal(await store.storeSession(one), "stored");
    assert.deepEqual(await after().get(id), { a: 1, b: 2, c: 3 });
    const late = await store.open(await storedSession(before(), { a: 1 }));
    late.set("b", 2);
    gate.before(CAS, () => other.delete(late.id));
    assert.equal(await store.storeSession(late), "gone");
    assert.equal(await other.has(late.id), false);
  });

  test("[old, new] beside [new, old], as in a rolling deployment: nothing is lost", async () => {
    const fleet = [prepared(), both(), prepared(), both()];
    const id = await storedSession(before(), { first: true });
    await Promise.all(fleet.map(async (store, n) => {
      for (let round = 0; round < 10; round++) {
        const session = await store.open(id);
        assert.equal(session.id, id);
        session.set(`n${n}-${round}`, round);
        assert.equal(await store.storeSession(session), "stored");
      }
    }));
    assert.equal(Object.keys(await both().get(id) as Fields).length, 41);
    const unset = someId();
    const got = await Promise.all(fleet.map((store, n) => store.setDefault(unset, { n })));
    assert.equal(new Set(got.map(({ n }) => n)).size, 1, "one winner");
    const popped = await Promise.all(fleet.map((store) => store.pop(unset)));
    assert.equal(popped.filter((value) => value !== undefined).length, 1);
    const ended = await (fleet[0] as SessionStore<Fields>).open(id);
    ended.destroy();
    await (fleet[0] as SessionStore<Fields>).storeSession(ended);
    for (const store of fleet) assert.equal(await store.has(id), false);
  });

  test("three secrets", async () => {
    const oldest = stores.make({ secret: "the oldest secret of all" });
    const store = stores.make({ secret: [NEW, OLD, "the oldest secret of all"] });
    const id = await storedSession(oldest, { a: 1 });
    const session = await store.open(id);
    assert.equal(await store.storeSession(session), "stored");
    assert.deepEqual(await after().get(id), { a: 1 });
  });

  test("turning a secret on or off ends all sessions", async () => {
    const [plain, store] = [stores.make(), after()];
    const [one, two] = [await storedSession(plain, { a: 1 }), await storedSession(store, { a: 1 })];
    assert.equal((await store.open(one)).isNew, true);
    assert.equal((await plain.open(two)).isNew, true);
  });
});

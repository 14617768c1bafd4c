import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import {
  ConflictError,
  Memcached,
  MemcachedError,
  ServerDownError,
  ServerError,
  type SessionStore,
  ValueTooLargeError,
} from "../../mod.ts";
import { startMemcached } from "../support/memcached.ts";
import { until } from "../support/until.ts";
import { type Gate, startGate } from "./gate.ts";
import { ADD, CAS } from "./moves.ts";
import { describeDialects, type Fields, fieldsOf, storedSession } from "./stores.ts";
import { PATIENT } from "../support/patient.ts";

/** What was lost: the write itself ("request") or its reply ("reply"). The client cannot tell which. */
const LOSSES = ["request", "reply"] as const;

const AMBIGUOUS = (error: unknown): boolean => error instanceof MemcachedError && error.ambiguous;

describeDialects("a write whose outcome is unknown", (stores) => {
  /** A store behind a gate, and another store that reaches the server directly. */
  async function setUp(
    t: TestContext,
  ): Promise<{ gate: Gate; store: SessionStore<Fields>; other: SessionStore<Fields> }> {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    return { gate, store: stores.make({ servers: gate.address }), other: stores.make() };
  }

  test("add, aborted by another call's error: the next save settles it", async (t) => {
    const { gate, store, other } = await setUp(t);
    const invalid = Object.assign(new TypeError("another call's"), {
      code: "ERR_INVALID_ARGUMENT",
    });
    for (const reason of [new ServerDownError("another call's"), invalid]) {
      const controller = new AbortController();
      const { signal } = controller;
      const session = await store.open();
      session.set("a", 1);
      gate.before(ADD, () => controller.abort(reason));
      await assert.rejects(store.storeSession(session, { signal }), (error) => error === reason);
      await until(() => other.has(session.id));
      assert.equal(await store.storeSession(session), "stored");
      assert.deepEqual(await other.get(session.id), { a: 1 });
    }
  });

  for (const lost of LOSSES) {
    test(`add, ${lost} lost: still new and dirty; the next save settles it`, async (t) => {
      const { gate, store, other } = await setUp(t);
      const session = await store.open();
      session.set("a", 1);
      gate.lose(lost, ADD);
      await assert.rejects(store.storeSession(session), AMBIGUOUS);
      assert.equal(await other.has(session.id), lost === "reply");
      assert.equal(session.isNew, true);
      assert.equal(session.isDirty(), true);
      assert.equal(await store.storeSession(session), "stored");
      assert.equal(session.isNew, false);
      assert.equal(session.isDirty(), false);
      assert.equal(await store.storeSession(session), "unchanged");
      assert.deepEqual(await other.get(session.id), { a: 1 });
    });

    test(`add, ${lost} lost: changes made since are stored too`, async (t) => {
      const { gate, store, other } = await setUp(t);
      const session = await store.open();
      session.set("a", 1).set("b", 1);
      gate.lose(lost, ADD);
      await assert.rejects(store.storeSession(session), AMBIGUOUS);
      session.set("a", 2).set("c", 3);
      session.delete("b");
      assert.equal(await store.storeSession(session), "stored");
      assert.deepEqual(await other.get(session.id), { a: 2, c: 3 });
      assert.deepEqual(fieldsOf(session), { a: 2, c: 3 });
    });

    test(`add, ${lost} lost again and again, with changes in between`, async (t) => {
      const { gate, store, other } = await setUp(t);
      const session = await store.open();
      for (let n = 0; n < 3; n++) {
        session.set(`n${n}`, n);
        gate.lose(n === 0 ? lost : "reply", ADD);
        await assert.rejects(store.storeSession(session), AMBIGUOUS);
      }
      session.set("last", true);
      assert.equal(await store.storeSession(session), "stored");
      assert.deepEqual(await other.get(session.id), { n0: 0, n1: 1, n2: 2, last: true });
    });

    test(`cas, ${lost} lost: dirty; the next save settles it`, async (t) => {
      const { gate, store, other } = await setUp(t);
      const id = await storedSession(other, { a: 1 });
      const session = await store.open(id);
      session.set("b", 2);
      gate.lose(lost, CAS);
      await assert.rejects(store.storeSession(session), AMBIGUOUS);
      assert.deepEqual(await other.get(id), lost === "reply" ? { a: 1, b: 2 } : { a: 1 });
      assert.equal(session.isDirty(), true);
      gate.clear();
      assert.equal(await store.storeSession(session), "stored");
      // The record is already stored, so it is not written again.
      assert.equal(gate.lines.filter((line) => CAS.test(line)).length, lost === "reply" ? 0 : 1);
      assert.equal(session.isDirty(), false);
      assert.deepEqual(await other.get(id), { a: 1, b: 2 });
    });

    test(`cas, ${lost} lost, then the change is undone: stored as it is now`, async (t) => {
      const { gate, store, other } = await setUp(t);
      const id = await storedSession(other, { a: 1, b: 1 });
      const session = await store.open(id);
      session.set("a", 2);
      session.delete("b");
      gate.lose(lost, CAS);
      await assert.rejects(store.storeSession(session), AMBIGUOUS);
      session.set("a", 1).set("b", 1);
      assert.equal(await store.storeSession(session), "stored");
      assert.deepEqual(await other.get(id), { a: 1, b: 1 });
      assert.deepEqual(fieldsOf(session), { a: 1, b: 1 });
    });

    test(`cas, ${lost} lost twice, with changes in between`, async (t) => {
      const { gate, store, other } = await setUp(t);
      const id = await storedSession(other, { a: 1, b: 1 });
      const session = await store.open(id);
      for (let n = 0; n < 2; n++) {
        session.set("a", `${n}`);
        gate.lose(lost, CAS);
        await assert.rejects(store.storeSession(session), AMBIGUOUS);
      }
      session.delete("b");
      assert.equal(await store.storeSession(session), "stored");
      assert.deepEqual(await other.get(id), { a: "1" });
    });

    test(`cas, ${lost} lost, then somebody else saves: merged`, async (t) => {
      const { gate, store, other } = await setUp(t);
      const id = await storedSession(other, { a: 1, b: 1, c: 1 });
      const session = await store.open(id);
      session.set("a", 2);
      session.delete("b");
      gate.lose(lost, CAS);
      await assert.rejects(store.storeSession(session), AMBIGUOUS);
      await other.update(id, (fields) => ({ ...fields, c: 9, d: 9 }));
      session.set("e", 5);
      assert.equal(await store.storeSession(session), "stored");
      assert.deepEqual(await other.get(id), { a: 2, c: 9, d: 9, e: 5 });
    });

    test(`cas, ${lost} lost, then it is deleted elsewhere: gone`, async (t) => {
      const { gate, store, other } = await setUp(t);
      const id = await storedSession(other, { a: 1 });
      const session = await store.open(id);
      session.set("a", 2);
      gate.lose(lost, CAS);
      await assert.rejects(store.storeSession(session), AMBIGUOUS);
      await other.delete(id);
      assert.equal(await store.storeSession(session), "gone");
      assert.equal(await other.has(id), false);
    });

    test(`add, ${lost} lost, then destroyed: deleted`, async (t) => {
      const { gate, store, other } = await setUp(t);
      const session = await store.open();
      session.set("a", 1);
      gate.lose(lost, ADD);
      await assert.rejects(store.storeSession(session), AMBIGUOUS);
      session.destroy();
      assert.equal(await store.storeSession(session), "deleted");
      assert.equal(await other.has(session.id), false);
    });

    test(`add, ${lost} lost, then emptied: stored without fields`, async (t) => {
      const { gate, store, other } = await setUp(t);
      const session = await store.open();
      session.set("a", 1);
      gate.lose(lost, ADD);
      await assert.rejects(store.storeSession(session), AMBIGUOUS);
      session.clear();
      assert.equal(await store.storeSession(session), "stored");
      assert.deepEqual(await other.get(session.id), {});
    });

    test(`set of lastWriteWins, ${lost} lost: dirty, and set again`, async (t) => {
      const { gate, other } = await setUp(t);
      const store = stores.make({ servers: gate.address, lastWriteWins: true });
      const session = await store.open();
      session.set("a", 1);
      gate.lose(lost, /^(ms|set) /);
      await assert.rejects(store.storeSession(session), AMBIGUOUS);
      assert.equal(session.isDirty(), true);
      assert.equal(await store.storeSession(session), "stored");
      assert.deepEqual(await other.get(session.id), { a: 1 });
    });
  }

  test("add, reply lost, then the visitor's next request saves: merged", async (t) => {
    const { gate, store, other } = await setUp(t);
    const session = await store.open();
    session.set("a", 1).set("b", 1);
    gate.lose("reply", ADD);
    await assert.rejects(store.storeSession(session), AMBIGUOUS);
    await other.update(session.id, (fields) => ({ ...fields, c: 1 }));
    session.set("a", 2);
    session.delete("b");
    assert.equal(await store.storeSession(session), "stored");
    assert.deepEqual(await other.get(session.id), { a: 2, c: 1 });
    assert.deepEqual(fieldsOf(session), { a: 2, c: 1 });
  });

  test("aborted while the add is on its way: the reason, and the next save settles it", async (t) => {
    const { gate, store, other } = await setUp(t);
    const session = await store.open();
    session.set("a", 1);
    const controller = new AbortController();
    const reason = new Error("enough");
    gate.before(ADD, () => controller.abort(reason));
    await assert.rejects(
      store.storeSession(session, { signal: controller.signal }),
      (error) => error === reason,
    );
    assert.equal(session.isDirty(), true);
    session.set("b", 2);
    assert.equal(await store.storeSession(session), "stored");
    assert.deepEqual(await other.get(session.id), { a: 1, b: 2 });
  });

  test("refused before it was sent: the outcome is known, and the next save starts afresh", async (t) => {
    const { gate } = await setUp(t);
    const store = stores.make({ servers: gate.address, maxBytes: 1000 });
    const session = await store.open();
    session.set("text", "x".repeat(2000));
    await assert.rejects(store.storeSession(session), ValueTooLargeError);
    assert.deepEqual(gate.lines, []);
    session.clear();
    assert.equal(await store.storeSession(session), "unchanged");
    session.set("text", "short");
    assert.equal(await store.storeSession(session), "stored");
    session.set("text", "x".repeat(2000));
    await assert.rejects(store.storeSession(session), ValueTooLargeError);
    assert.deepEqual(await store.get(session.id), { text: "short" });
    session.set("text", "shorter");
    assert.equal(await store.storeSession(session), "stored");
    assert.deepEqual(await store.get(session.id), { text: "shorter" });
  });

  test("refused by the server: the old copy stays, and a smaller one is stored over it", async (t) => {
    const server = await startMemcached({ args: ["-I", "512k"] });
    t.after(() => server.stop());
    for (const lastWriteWins of [false, true]) {
      const store = stores.make({ servers: server.address, lastWriteWins });
      const id = await storedSession(store, { text: "short" });
      const session = await store.open(id);
      for (let n = 0; n < 2; n++) {
        session.set("text", "x".repeat(600_000));
        await assert.rejects(store.storeSession(session), ValueTooLargeError);
        assert.equal(session.isDirty(), true);
        if (!lastWriteWins) assert.deepEqual(await store.get(id), { text: "short" });
        session.set("text", `smaller ${n}`);
        assert.equal(await store.storeSession(session), "stored");
        assert.deepEqual(await store.get(id), { text: `smaller ${n}` });
        session.set("text", "short");
        await store.storeSession(session);
      }
      const fresh = store.create();
      fresh.set("text", "x".repeat(600_000));
      await assert.rejects(store.storeSession(fresh), ValueTooLargeError);
      fresh.set("text", "short");
      assert.equal(await store.storeSession(fresh), "stored");
    }
  });

  test("refused by a server that is full: the old copy stays where it is, moved or not", async (t) => {
    const server = await startMemcached({ args: ["-M", "-m", "2"] });
    t.after(() => server.stop());
    const store = stores.make({ servers: server.address });
    const id = await storedSession(store, { text: "short" });
    const filling = new Memcached(server.address, PATIENT);
    t.after(() => filling.close());
    const large = "x".repeat(100_000);
    const many = Array.from({ length: 40 }, (_, n) => [`${n}`, large] as const);
    await filling.setMany(many).catch(() => undefined);
    const session = await store.open(id);
    session.set("text", large);
    await assert.rejects(store.storeSession(session), ServerError);
    assert.deepEqual(await store.get(id), { text: "short" });
    session.regenerate();
    await assert.rejects(store.storeSession(session), ServerError);
    assert.deepEqual(await store.get(id), { text: "short" });
    assert.equal(session.isDirty(), true);
    session.set("text", "shorter");
    assert.equal(await store.storeSession(session), "stored");
    assert.deepEqual(await store.get(session.id), { text: "shorter" });
    assert.equal(await store.has(id), false);
  });

  test("something else is stored under the new id: an error each time, and that stays as it is", async (t) => {
    const { gate, store, other } = await setUp(t);
    const session = await store.open();
    session.set("a", 1);
    await other.set(session.id, { theirs: true });
    for (let n = 0; n < 3; n++) {
      await assert.rejects(store.storeSession(session), ConflictError);
      assert.equal(session.isNew, true);
      assert.deepEqual(await other.get(session.id), { theirs: true });
    }
    session.regenerate();
    gate.clear();
    assert.equal(await store.storeSession(session), "stored");
    assert.equal(gate.lines.length, 1);
    assert.deepEqual(await other.get(session.id), { a: 1 });
  });

  test("a delete whose reply is lost is sent again by the client itself", async (t) => {
    const { gate, store, other } = await setUp(t);
    const id = await storedSession(other, { a: 1 });
    const session = await store.open(id);
    session.destroy();
    gate.lose("reply", /^(md|delete) /);
    assert.equal(await store.storeSession(session), "deleted");
    assert.equal(await other.has(id), false);
  });
});

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { test, type TestContext } from "node:test";
import { type Hashing, MemcachedError, ServerDownError, type SessionStore } from "../../mod.ts";
import { type MemcachedServer, startMany } from "../support/memcached.ts";
import { type Gate, startGate } from "./gate.ts";
import { type DialectName, DIALECTS, type Fields, storedSession, Stores } from "./stores.ts";

interface Scene {
  readonly store: SessionStore<Fields>;
  /** Straight to the old id's server, and to the new one's. */
  readonly [at: number]: SessionStore<Fields>;
  readonly gates: readonly [Gate, Gate];
  readonly servers: readonly MemcachedServer[];
  /** An id of the first server; all other ids are the second's. */
  readonly id: string;
}

/** Two servers, each behind a gate, and a session on the first. */
async function setUp(t: TestContext, protocol: DialectName): Promise<Scene> {
  const servers = await startMany(2);
  const [first, second] = servers as [MemcachedServer, MemcachedServer];
  const gates = [await startGate(first.address), await startGate(second.address)] as const;
  const stores = new Stores(protocol);
  t.after(async () => {
    await stores.stop();
    for (const gate of gates) await gate.stop();
    for (const server of servers) await server.stop();
  });
  const direct = [first, second].map(({ address }) => stores.make({ servers: address }));
  const id = await storedSession(direct[0] as SessionStore<Fields>, { a: 1 });
  const hashing: Hashing = () => {
    const pick = (key: string): number => key.endsWith(id) ? 0 : 1;
    return { pick, order: (key) => [pick(key), 1 - pick(key)] };
  };
  const store = stores.make({ servers: gates.map((gate) => gate.address), hashing, timeout: 400 });
  return { store, ...direct, gates, servers, id };
}

/** Tries until it works: a server that was down is probed before it is used again. */
async function eventually<T>(act: () => Promise<T>): Promise<T> {
  for (let tries = 0;; tries++) {
    try {
      return await act();
    } catch (error) {
      if (tries === 100) throw error;
      await sleep(30);
    }
  }
}

for (const protocol of DIALECTS) {
  test(`the old id's server is down: added and rejected; a later save deletes (${protocol})`, async (t) => {
    const { store, gates, id, 0: old, 1: fresh } = await setUp(t, protocol);
    const session = await store.open(id, { timeout: 5_000 });
    session.regenerate();
    session.set("b", 2);
    await gates[0].shut();
    await assert.rejects(store.storeSession(session), MemcachedError);
    assert.deepEqual(await fresh?.get(session.id), { a: 1, b: 2 });
    assert.deepEqual(await old?.get(id), { a: 1 });
    assert.equal(session.isDirty(), true);
    session.set("c", 3);
    await assert.rejects(store.storeSession(session), ServerDownError);
    assert.deepEqual(
      await fresh?.get(session.id),
      { a: 1, b: 2, c: 3 },
      "changes are saved even so",
    );
    assert.equal(session.isDirty(), true);
    await gates[0].reopen();
    assert.equal(await eventually(() => store.storeSession(session)), "stored");
    assert.equal(await old?.has(id), false);
    assert.deepEqual(await fresh?.get(session.id), { a: 1, b: 2, c: 3 });
    assert.equal(await store.storeSession(session), "unchanged");
  });

  test(`the old id's server hangs: added and rejected; a later save deletes (${protocol})`, async (t) => {
    const { store, servers, id, 0: old, 1: fresh } = await setUp(t, protocol);
    const session = await store.open(id, { timeout: 5_000 });
    session.regenerate();
    await fresh?.has("connected");
    servers[0]?.pause();
    await assert.rejects(store.storeSession(session), MemcachedError);
    servers[0]?.resume();
    assert.deepEqual(await fresh?.get(session.id), { a: 1 });
    assert.equal(await eventually(() => store.storeSession(session)), "stored");
    assert.equal(await old?.has(id), false);
    assert.deepEqual(await fresh?.get(session.id), { a: 1 });
  });

  test(`the new id's server is down: rejected, the old one stays (${protocol})`, async (t) => {
    const { store, gates, id, 0: old, 1: fresh } = await setUp(t, protocol);
    const session = await store.open(id, { timeout: 5_000 });
    session.regenerate();
    await gates[1].shut();
    await assert.rejects(store.storeSession(session), MemcachedError);
    assert.deepEqual(await old?.get(id), { a: 1 });
    await gates[1].reopen();
    assert.equal(await eventually(() => store.storeSession(session)), "stored");
    assert.equal(await old?.has(id), false);
    assert.deepEqual(await fresh?.get(session.id), { a: 1 });
  });

  test(`destroyed while the old id's server is down: both end (${protocol})`, async (t) => {
    const { store, gates, id, 0: old, 1: fresh } = await setUp(t, protocol);
    const session = await store.open(id, { timeout: 5_000 });
    session.regenerate();
    await gates[0].shut();
    await assert.rejects(store.storeSession(session), MemcachedError);
    session.destroy();
    await assert.rejects(store.storeSession(session), ServerDownError);
    assert.equal(await fresh?.has(session.id), false, "what can be deleted is");
    await gates[0].reopen();
    assert.equal(await eventually(() => store.storeSession(session)), "deleted");
    assert.equal(await old?.has(id), false);
  });
}

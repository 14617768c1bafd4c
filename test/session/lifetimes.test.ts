import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { serialize } from "../../src/v8/mod.ts";
import { hasEnded, secondsToLive } from "../../src/session/lifetime.ts";
import { startGate } from "./gate.ts";
import {
  describeDialects,
  DIALECTS,
  type Fields,
  someId,
  storedSession,
  Stores,
} from "./stores.ts";

const DAY = 86_400;

describeDialects("times to live", (stores) => {
  /** Puts a session there that was made so many seconds ago. */
  async function storedAgo(key: string, seconds: number, fields: Fields = { a: 1 }): Promise<void> {
    const data = serialize([fields, Date.now() - seconds * 1000, null]);
    await stores.raw.set(key, { data, flags: 256 | 512 }, { ttl: 1000 });
  }

  test("more than 30 days are stored rightly, and stay so over loads", async (t) => {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    const store = stores.make({ servers: gate.address, ttl: 31 * DAY });
    const id = await storedSession(store, { a: 1 });
    const exptime = Number(/(?: T| 768 )(\d+)/.exec(gate.lines[0] as string)?.[1]);
    assert.ok(Math.abs(exptime - (Date.now() / 1000 + 31 * DAY)) < 15, "an absolute time");
    const check = (): Promise<void> => stores.assertTtl(store.mcKey(id), 31 * DAY);
    await check();
    const session = await store.open(id);
    await check();
    session.set("b", 2);
    await store.storeSession(session);
    await check();
    session.ttl = 40 * DAY;
    await store.storeSession(session);
    await store.open(id);
    await stores.assertTtl(store.mcKey(id), 40 * DAY);
    assert.deepEqual(await store.get(id), { a: 1, b: 2 });
  });

  test("a session's own time stays its own over loads and saves", async () => {
    for (const own of [20, 900, 0, 25.5]) {
      const store = stores.make({ ttl: 300, alwaysSave: true });
      const session = await store.open();
      session.set("a", 1).ttl = own;
      await store.storeSession(session);
      const key = store.mcKey(session.id);
      const check = (): Promise<void> =>
        stores.assertTtl(key, own === 0 ? Infinity : Math.ceil(own));
      await check();
      const again = await store.open(session.id);
      assert.equal(again.ttl, own);
      await check();
      assert.equal(await store.storeSession(again), "touched");
      await check();
      again.set("b", 2);
      assert.equal(await store.storeSession(again), "stored");
      await check();
      assert.equal((await store.open(session.id)).ttl, own);
    }
  });

  test("who merges what others wrote leaves the session's own time alone", async (t) => {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    const [store, other] = [stores.make({ servers: gate.address, ttl: 900 }), stores.make()];
    const id = await storedSession(other, { a: 1 });
    const [one, two] = [await other.open(id), await store.open(id)];
    one.set("b", 1).ttl = 60;
    await other.storeSession(one);
    two.set("c", 1);
    const cas = /^(ms .* C|cas )/;
    // Its first cas is refused; what stands there before the second has the time it was given.
    gate.before(cas, () => {});
    gate.before(cas, () => stores.assertTtl(store.mcKey(id), 60));
    assert.equal(await store.storeSession(two), "stored");
    assert.equal(gate.done, true);
    await stores.assertTtl(store.mcKey(id), 60);
  });

  test("past absoluteTtl a session is deleted when it is opened or loaded", async () => {
    const store = stores.make({ absoluteTtl: 100 });
    for (const call of ["open", "load"] as const) {
      const id = someId();
      await storedAgo(store.mcKey(id), 101);
      const found = await store[call](id);
      if (call === "load") assert.equal(found, undefined);
      else assert.notEqual((found as { id: string }).id, id);
      assert.equal(await store.has(id), false);
      await storedAgo(store.mcKey(id), 98);
      assert.notEqual(await store.load(id), undefined);
      assert.equal((await store.open(id)).id, id);
    }
  });

  test("no write and no touch keeps a session beyond absoluteTtl", async () => {
    const store = stores.make({ ttl: 300, absoluteTtl: 100, alwaysSave: true });
    const fresh = await store.open();
    fresh.set("a", 1);
    await store.storeSession(fresh);
    await stores.assertTtl(store.mcKey(fresh.id), 100);
    const id = someId();
    const key = store.mcKey(id);
    const check = (): Promise<void> => stores.assertTtl(key, 40);
    await storedAgo(key, 60);
    const session = await store.open(id);
    await check();
    assert.equal(await store.storeSession(session), "touched");
    await check();
    session.set("a", 2);
    assert.equal(await store.storeSession(session), "stored");
    await check();
    await store.update(id, (fields) => ({ ...fields, b: 1 }));
    await check();
    const left = (await store.load(id))?.ttl as number;
    assert.ok(left <= 40 && left > 25, `${left}`);
    session.ttl = 0;
    await store.storeSession(session);
    await check();
    session.regenerate();
    await store.storeSession(session);
    await stores.assertTtl(store.mcKey(session.id), 40); // a new id is no new beginning
  });

  test("a handle that is kept beyond absoluteTtl has expired, and storing it deletes", async () => {
    const store = stores.make({ absoluteTtl: 0.05 });
    const id = await storedSession(store, { a: 1 });
    const session = await store.open(id);
    assert.equal(session.isExpired(), false);
    await sleep(60);
    assert.equal(session.isExpired(), true);
    session.set("a", 2);
    assert.equal(await store.storeSession(session), "deleted");
    assert.equal(await store.has(id), false);
  });
});

test("what has expired is absent", async (t) => {
  // Both dialects at once, for memcached's clock makes it last two seconds.
  await Promise.all(DIALECTS.map(async (protocol) => {
    const stores = new Stores(protocol);
    await stores.start();
    t.after(() => stores.stop());
    const store = stores.make({ ttl: 1 });
    const session = await store.open();
    session.set("a", 1);
    await store.storeSession(session);
    const id = someId();
    await store.set(id, { a: 1 });
    await sleep(2_100);
    assert.equal(await store.get(id), undefined);
    assert.equal((await store.open(session.id)).isNew, true);
    session.set("a", 2);
    assert.equal(await store.storeSession(session), "gone");
  }));
});

test("seconds to live, of numbers alone", () => {
  const never = { ttl: 300, absoluteTtl: Infinity };
  assert.equal(secondsToLive(undefined, 0, never, 5_000), 300);
  assert.equal(secondsToLive(20, 0, never, 5_000), 20);
  assert.equal(secondsToLive(0, 0, never, 5_000), 0);
  assert.equal(hasEnded(0, never, 1e15), false);
  const hour = { ttl: 300, absoluteTtl: 3600 };
  assert.equal(secondsToLive(undefined, 0, hour, 0), 300);
  assert.equal(secondsToLive(undefined, 0, hour, 3_400_000), 200);
  assert.equal(secondsToLive(undefined, 0, hour, 3_400_001), 200);
  assert.equal(secondsToLive(0, 0, hour, 3_400_000), 200, "for ever is until the end");
  assert.equal(secondsToLive(Infinity, 0, hour, 3_400_000), 200);
  assert.equal(secondsToLive(undefined, 0, hour, 3_599_999), 1);
  assert.equal(secondsToLive(undefined, 0, hour, 9_999_999), 1, "never 0, which is for ever");
  assert.equal(hasEnded(0, hour, 3_599_999), false);
  assert.equal(hasEnded(0, hour, 3_600_000), true);
});

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { ConflictError, ConnectionLostError, CorruptValueError } from "../../mod.ts";
import { serialize } from "../../src/v8/mod.ts";
import { hasEnded, isRecent, secondsToLive } from "../../src/session/lifetime.ts";
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

describeDialects("lifetimes", (stores) => {
  /** Stores a session that was created so many seconds ago. */
  async function storedAgo(key: string, seconds: number, fields: Fields = { a: 1 }): Promise<void> {
    const data = serialize([fields, Date.now() - seconds * 1000, null]);
    await stores.raw.set(key, { data, flags: 256 | 512 }, { ttl: 1000 });
  }

  test("a ttl of more than 30 days is stored correctly, and stays so over loads", async (t) => {
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

  test("a session's own ttl stays its own over loads and saves", async () => {
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

  test("a merge with what others wrote keeps the session's own ttl", async (t) => {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    const [store, other] = [stores.make({ servers: gate.address, ttl: 900 }), stores.make()];
    const id = await storedSession(other, { a: 1 });
    const [one, two] = [await other.open(id), await store.open(id)];
    one.set("b", 1).ttl = 60;
    await other.storeSession(one);
    two.set("c", 1);
    const cas = /^(ms .* C|cas )/;
    // Its first cas is refused. The copy that is stored before the second has the ttl that it was given.
    gate.before(cas, () => {});
    gate.before(cas, () => stores.assertTtl(store.mcKey(id), 60));
    assert.equal(await store.storeSession(two), "stored");
    assert.equal(gate.done, true);
    await stores.assertTtl(store.mcKey(id), 60);
  });

  test("past absoluteTtl a session is absent and left to expire, so that a fast clock deletes nothing", async () => {
    const store = stores.make({ absoluteTtl: 100 });
    const id = someId();
    await storedAgo(store.mcKey(id), 101);
    const session = await store.open(id);
    assert.notEqual(session.id, id);
    assert.equal(await store.get(id), undefined);
    assert.equal(await store.pop(id), undefined);
    assert.equal(await store.update(id, () => undefined), undefined);
    await assert.rejects(store.update(id, () => ({ b: 1 })), ConflictError);
    await stores.assertTtl(store.mcKey(id), 1000);
    assert.equal(session.set("c", 1).id, session.id);
    assert.equal(await store.storeSession(session), "stored", "a new one is not barred");
    await storedAgo(store.mcKey(id), 98);
    assert.equal((await store.open(id)).id, id);
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
    session.ttl = 0;
    await store.storeSession(session);
    await check();
    session.regenerate();
    await store.storeSession(session);
    await stores.assertTtl(store.mcKey(session.id), 40); // a new id does not start the time again
  });

  test("a handle that is kept beyond absoluteTtl has expired, and is not stored again", async (t) => {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    const store = stores.make({ servers: gate.address, absoluteTtl: 0.2 });
    const id = await storedSession(store, { a: 1 });
    const session = await store.open(id);
    assert.equal(session.isExpired(), false);
    await sleep(210);
    assert.equal(session.isExpired(), true);
    session.set("a", 2);
    gate.clear();
    assert.equal(await store.storeSession(session), "gone");
    assert.deepEqual(gate.lines, []);
  });

  test("an own ttl of eleven years is kept within what memcached can count", async () => {
    const year = 365 * DAY;
    const store = stores.make();
    const id = someId();
    const data = serialize([{ a: 1 }, Date.now() - 2 * year * 1000, 11.9 * year]);
    await stores.raw.set(store.mcKey(id), { data, flags: 256 | 512 }, { ttl: 1000 });
    const session = await store.open(id);
    assert.equal(session.ttl, 11.9 * year);
    session.set("b", 2);
    assert.equal(await store.storeSession(session), "stored");
    const last = 2 ** 31 - 1 - Date.now() / 1000;
    await stores.assertTtl(store.mcKey(id), Math.min(Math.ceil(last) - 59, 11.9 * year));
  });

  test("a record with a ttl that no session ever had is corrupt", async () => {
    const store = stores.make();
    for (const ttl of [1e300, Infinity, -1, NaN, "60", 2 ** 31]) {
      const id = someId();
      const data = serialize([{ a: 1 }, Date.now(), ttl]);
      await stores.raw.set(store.mcKey(id), { data, flags: 256 | 512 });
      await assert.rejects(store.open(id), CorruptValueError);
      await assert.rejects(store.get(id), CorruptValueError);
    }
  });

  test("a lost second command of open changes no ttl, and one that arrives late does no harm", async (t) => {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    const store = stores.make({ servers: gate.address, ttl: 3600 });
    const session = await store.open();
    session.set("a", 1).ttl = 30 * DAY;
    await store.storeSession(session);
    const key = store.mcKey(session.id);
    for (const lost of ["request", "reply"] as const) {
      await stores.raw.touch(key, 20 * DAY);
      // Both the command and its repetition.
      for (let n = 0; n < 2; n++) gate.lose(lost, /^(mg .* T|touch )/);
      await assert.rejects(store.open(session.id), ConnectionLostError);
      assert.equal(gate.done, true);
      await stores.assertTtl(key, lost === "request" ? 20 * DAY : 30 * DAY);
    }
  });

  test("a session that gets its own ttl while it is being opened keeps that", async (t) => {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    const [store, other] = [stores.make({ servers: gate.address, ttl: 900 }), stores.make()];
    const id = await storedSession(other, { a: 1 });
    await stores.raw.touch(store.mcKey(id), 100);
    const session = await other.open(id);
    session.ttl = 30 * DAY;
    gate.before(/^(mg .* T|touch )/, () => other.storeSession(session));
    const opened = await store.open(id);
    assert.equal(gate.done, true);
    assert.equal(opened.ttl, 30 * DAY);
    await stores.assertTtl(store.mcKey(id), 30 * DAY);
  });

  test("open: one round trip while most of the ttl is left, else two; classic: always two", async (t) => {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    const store = stores.make({ servers: gate.address, ttl: 1600 });
    const id = await storedSession(store, { a: 1 });
    for (const [left, one] of [[1600, true], [1550, true], [1450, false], [5000, false]] as const) {
      await stores.raw.touch(store.mcKey(id), left);
      gate.clear();
      await store.open(id);
      const meta = one ? 1 : 2;
      assert.equal(gate.lines.length, stores.protocol === "meta" ? meta : 3, `${left}`);
      await stores.assertTtl(store.mcKey(id), one && stores.protocol === "meta" ? left : 1600);
    }
  });
});

test("an expired session is absent", async (t) => {
  // Both dialects at once, because memcached's clock makes this take two seconds.
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

test("secondsToLive, a pure function", () => {
  const never = { ttl: 300, absoluteTtl: Infinity };
  assert.equal(secondsToLive(undefined, 0, never, 5_000), 300);
  assert.equal(secondsToLive(20, 0, never, 5_000), 20);
  assert.equal(secondsToLive(0, 0, never, 5_000), 0);
  assert.equal(hasEnded(0, never, 1e15), false);
  const hour = { ttl: 300, absoluteTtl: 3600 };
  assert.equal(secondsToLive(undefined, 0, hour, 0), 300);
  assert.equal(secondsToLive(undefined, 0, hour, 3_400_000), 200);
  assert.equal(secondsToLive(undefined, 0, hour, 3_400_001), 200);
  assert.equal(secondsToLive(0, 0, hour, 3_400_000), 200, "no ttl means until the absolute end");
  assert.equal(secondsToLive(Infinity, 0, hour, 3_400_000), 200);
  assert.equal(secondsToLive(undefined, 0, hour, 3_599_999), 1);
  assert.equal(
    secondsToLive(undefined, 0, hour, 9_999_999),
    1,
    "never 0, which would mean for ever",
  );
  assert.equal(hasEnded(0, hour, 3_599_999), false);
  assert.equal(hasEnded(0, hour, 3_600_000), true);
  const late = (2 ** 31 - 1000) * 1000;
  assert.equal(secondsToLive(5000, 0, never, late), 939, "a minute before the last exptime");
  assert.equal(secondsToLive(0, 0, never, late), 0);
  for (
    const [left, wanted, recent] of [
      [1600, 1600, true],
      [1500, 1600, true],
      [1499, 1600, false],
      [1601, 1600, false],
      [Infinity, 1600, false],
      [Infinity, 0, true],
      [1600, 0, false],
      [26, 25.5, true],
    ] as const
  ) {
    assert.equal(isRecent(left, wanted), recent, `${left} of ${wanted}`);
  }
});

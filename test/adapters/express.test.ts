// The store by itself, under a base class with no more than Node's EventEmitter. The frameworks are asked over
// HTTP in test/frameworks.
import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { EventEmitter } from "node:events";
import { after, before, describe, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type CommandMessage, Memcached, SessionStore } from "../../mod.ts";
import {
  createMemwireStore,
  type ExpressStore,
  type ExpressStoreOptions,
  type StoredCookie,
  type StoredSession,
} from "../../src/adapters/express.ts";
import { runInChild } from "../support/child.ts";
import { freePort, type MemcachedServer, startMemcached } from "../support/memcached.ts";
import { PATIENT } from "../support/patient.ts";

const REFUSED = { name: "TypeError", code: "ERR_INVALID_ARGUMENT" };

class Store extends EventEmitter {
  /** What express-session does with what `get` has read. */
  createSession(_request: unknown, data: object): object {
    return { ...data };
  }
}
const MemwireStore = createMemwireStore({ Store });
type Made = ExpressStore & Store;

describe("createMemwireStore", () => {
  let memcached: MemcachedServer;
  let client: Memcached;
  let plain: Memcached; // takes any flags
  let stores = 0;
  before(async () => {
    memcached = await startMemcached();
    client = new Memcached(memcached.address, PATIENT);
    plain = new Memcached(memcached.address, {
      serializer: { serialize: () => ({ data: new Uint8Array(), flags: 0 }), deserialize: () => 1 },
    });
  });
  after(async () => {
    await Promise.all([client.close(), plain.close()]);
    await memcached.stop();
  });

  function make(options: Partial<ExpressStoreOptions> = {}): { store: Made; prefix: string } {
    const prefix = `s${stores++}:`;
    return { store: new MemwireStore({ client, prefix, ...options }), prefix };
  }

  /** The session as a request of express-session has it. */
  async function request(store: Made, id: string): Promise<StoredSession> {
    const data = await store.get(id);
    assert.ok(data !== null);
    return store.createSession({}, data) as StoredSession;
  }

  /** A store under a base class without createSession, as @fastify/session's is. */
  function makeForFastify(options: Partial<ExpressStoreOptions> = {}): ExpressStore {
    const prefix = `s${stores++}:`;
    return new (createMemwireStore({ Store: EventEmitter }))({ client, prefix, ...options });
  }

  /** The session as a request of @fastify/session has it: its cookie's end is set when it is read. */
  async function fastifyRequest(store: ExpressStore, id: string): Promise<StoredSession> {
    const data = await store.get(id);
    assert.ok(data !== null);
    const { originalMaxAge, expires } = data.cookie;
    const cookie = {
      ...JSON.parse(JSON.stringify(data.cookie)),
      expires: inMs(originalMaxAge ?? NaN),
      originalExpires: new Date(expires ?? NaN),
    };
    return { ...data, [Symbol("cookieOpts")]: { ...data.cookie }, cookie } as StoredSession;
  }

  const ttlOf = async (key: string): Promise<number> => {
    const { ttl } = await plain.getItem(key) as { ttl: number };
    return ttl;
  };

  const inMs = (ms: number): Date => new Date(Date.now() + ms);

  test("keeps the framework's class, as its emitter", () => {
    const { store } = make();
    assert.ok(store instanceof Store);
    let heard = 0;
    store.on("disconnect", () => heard++);
    store.emit("disconnect");
    assert.equal(heard, 1);
  });

  test("refuses wrong options, and modules without a Store", () => {
    for (const module of [undefined, null, {}, { Store: 1 }]) {
      assert.throws(() => createMemwireStore(module as { Store: unknown }), REFUSED);
    }
    const store = new SessionStore({ client });
    const wrong: unknown[] = [
      {},
      undefined,
      { client, store },
      { store, prefix: "a" },
      { store: client },
      { client: store },
      { client, ttl: "60" },
      { client, disableTouch: 1 },
      { client, prefix: "a b" },
      { client, prefix: null },
      { store: null },
      { store: {} },
    ];
    for (const options of wrong) {
      assert.throws(() => new MemwireStore(options as ExpressStoreOptions), REFUSED);
    }
    assert.throws(() => make({ ttl: 0 }), { name: "RangeError" });
    assert.throws(() => make({ disableTTL: true } as object), /unknown option "disableTTL"/);
  });

  test("stores what JSON makes of a session", async () => {
    const { store, prefix } = make();
    const when = new Date(0);
    const cookie = { originalMaxAge: null, toJSON: () => ({ originalMaxAge: null, path: "/" }) };
    const id = { toHexString: () => "1f", toJSON: () => "1f" };
    await store.set("a", { cookie, when, id, f: () => 1, list: [undefined, { when }], n: NaN });
    const plain = { originalMaxAge: null, path: "/" };
    const stored = {
      cookie: plain,
      when: when.toJSON(),
      id: "1f",
      list: [null, { when: when.toJSON() }],
      n: null,
    };
    assert.deepEqual({ ...await store.get("a") }, stored);
    const kept = new SessionStore({ client, namespace: prefix });
    assert.deepEqual(await kept.get("a"), stored);
    await store.set("b", { cookie: plain, toJSON: () => ({ cookie: plain, a: 1 }) });
    assert.deepEqual({ ...await store.get("b") }, { cookie: plain, a: 1 });
  });

  test("a property of any name is kept, and none gets at a prototype", async () => {
    const { store } = make();
    const session = JSON.parse('{"cookie":{},"__proto__":{"admin":true},"constructor":1}');
    await store.set("a", session);
    const read = await store.get("a");
    assert.equal((read as { admin?: boolean }).admin, undefined);
    assert.deepEqual(Object.keys(read ?? {}).sort(), ["__proto__", "constructor", "cookie"]);
  });

  test("an id that is absent, illegal or has ended is null", async () => {
    const { store } = make();
    for (const id of ["nobody", "", "a b", "a\n", "x".repeat(300)]) {
      assert.equal(await store.get(id), null);
      await store.touch(id, { cookie: {} });
      await store.destroy(id);
    }
    await assert.rejects(store.set("a b", { cookie: {} }), REFUSED);
    await store.set("a", { cookie: { expires: inMs(500) } });
    assert.ok(await store.get("a") !== null);
    await sleep(550);
    assert.equal(await store.get("a"), null);
    assert.deepEqual(await store.all(), []);
    await store.set("b", { cookie: { originalMaxAge: 2000, expires: inMs(2000) } });
    const session = await request(store, "b");
    await sleep(1000);
    await store.touch("b", { ...session, cookie: { originalMaxAge: 2000, expires: inMs(2000) } });
    await sleep(1500); // 2.5 s after it was set, 1.5 s after it was touched
    assert.ok(await store.get("b") !== null);
    await sleep(700);
    assert.equal(await store.get("b"), null);
  });

  test("lives as long as its cookie, else as the option says", async () => {
    const lives: [ttl: ExpressStoreOptions["ttl"], cookie: () => object, seconds: number][] = [
      [undefined, () => ({}), 86_400],
      [undefined, () => ({ originalMaxAge: null, expires: null }), 86_400],
      [undefined, () => ({ originalMaxAge: 60_000, expires: inMs(60_000) }), 60],
      [undefined, () => ({ originalMaxAge: 60_000, expires: inMs(58_000) }), 60],
      [undefined, () => ({ originalMaxAge: 60_000, expires: inMs(30_000) }), 60],
      [undefined, () => ({ originalMaxAge: 60_000, expires: inMs(90_000) }), 90],
      [undefined, () => ({ expires: inMs(90_000).toISOString() }), 90],
      [undefined, () => ({ expires: "never" }), 86_400],
      [500, () => ({}), 500],
      [500, () => ({ expires: inMs(90_000) }), 90],
      [() => 77, () => ({ expires: inMs(90_000) }), 77],
      [({ cookie }) => Number(cookie["weeks"]) * 604_800, () => ({ weeks: 6 }), 6 * 604_800],
      [Infinity, () => ({}), Infinity],
      [undefined, () => ({ originalMaxAge: 1e13, expires: inMs(1e13) }), Infinity],
    ];
    for (const [ttl, cookie, seconds] of lives) {
      const { store, prefix } = make({ ttl });
      await store.set("a", { cookie: cookie() });
      const left = await ttlOf(`${prefix}a`);
      // An absolute time may be one second more by the server's clock; a busy machine needs some.
      assert.ok(
        left === seconds || left <= seconds + 1 && left >= seconds - 3,
        `${left} of ${seconds}`,
      );
      await store.get("a");
      const then = await ttlOf(`${prefix}a`);
      assert.ok(
        then === seconds || then <= seconds + 1 && then >= seconds - 3,
        `${then} once it is read`,
      );
    }
  });

  test("with a store the ttl is the store's", async () => {
    const kept = new SessionStore({ client, namespace: "kept:", ttl: 300 });
    const store = new MemwireStore({ store: kept });
    await store.set("a", { cookie: {} });
    assert.ok([299, 300].includes(await ttlOf("kept:a")));
    for (const ttl of [0, Infinity]) {
      const eternal = new SessionStore({ client, namespace: "eternal:", ttl });
      const of = new MemwireStore({ store: eternal });
      await of.set("a", { cookie: {}, user: "ada" });
      assert.deepEqual(await of.get("a"), { cookie: {}, user: "ada" });
      assert.equal(await ttlOf("eternal:a"), Infinity);
    }
  });

  test("what has no time left is deleted", async () => {
    const { store } = make();
    // express-session makes the negative maxAge of an end that has passed.
    for (const cookie of [{}, { originalMaxAge: null }, { originalMaxAge: -1 }]) {
      const session = { cookie: { ...cookie, expires: inMs(-1) } };
      await store.set("a", { cookie: {} });
      await store.set("a", session);
      assert.equal(await store.get("a"), null);
      await store.set("a", { cookie: {} });
      await store.touch("a", session);
      assert.equal(await store.get("a"), null);
    }
    const { store: other } = make({ ttl: () => -1 });
    await other.set("a", { cookie: {} });
    assert.equal(await other.get("a"), null);
    for (const ttl of [() => NaN, () => "60" as unknown as number]) {
      await assert.rejects(make({ ttl }).store.set("a", { cookie: {} }), {
        code: "ERR_INVALID_ARGUMENT",
      });
    }
  });

  test("requests at once keep each other's fields, and what one has deleted stays so", async () => {
    const { store } = make();
    await store.set("a", { cookie: {}, old: 1, first: 1 });
    const both = [await request(store, "a"), await request(store, "a")] as const;
    both[0]["one"] = 1;
    delete both[0]["old"];
    both[1]["two"] = 2;
    await store.set("a", both[0]);
    await store.set("a", both[1]);
    const merged = { cookie: {}, first: 1, one: 1, two: 2 };
    assert.deepEqual({ ...await store.get("a") }, merged);
    // A second save of the same request has not seen what the other one has added.
    both[1]["three"] = 3;
    await store.set("a", both[1]);
    assert.deepEqual({ ...await store.get("a") }, { ...merged, three: 3 });
  });

  test("a cookie that one request changes stays so when another one saves that has only read it", async () => {
    const day = 86_400_001; // a millisecond less makes a second less
    const sliding = (ms: number): StoredCookie => ({ originalMaxAge: ms, expires: inMs(ms) });
    const fixed = (ms: number): StoredCookie => ({ originalMaxAge: null, expires: inMs(ms) });
    for (const disableTouch of [false, true]) {
      for (const cookieOf of [sliding, fixed]) {
        for (const [from, to] of [[day, 30 * day], [30 * day, day]] as const) {
          const { store, prefix } = make({ disableTouch });
          await store.set("a", { cookie: cookieOf(from) });
          const [old, other] = [await request(store, "a"), await request(store, "a")];
          // express-session sets a sliding cookie's end again before it saves, and loses a millisecond by it.
          if (cookieOf === sliding) old.cookie = { ...sliding(from), originalMaxAge: from - 1 };
          other.cookie = cookieOf(to);
          other["remember"] = true;
          await store.set("a", other);
          for (const cart of [1, 2]) {
            old["cart"] = cart;
            await store.set("a", old);
            await store.touch("a", old);
            const read = await store.get("a");
            assert.ok(read !== null);
            const { cookie, ...rest } = read;
            assert.deepEqual({ ...rest }, { remember: true, cart });
            assert.equal(cookie.originalMaxAge, other.cookie.originalMaxAge);
            const seconds = Math.ceil(to / 1000);
            const left = (Number(new Date(cookie.expires ?? 0)) - Date.now()) / 1000;
            assert.ok(left <= seconds && left >= seconds - 60, `the cookie has ${left} s left`);
            const ttl = await ttlOf(`${prefix}a`);
            assert.ok(ttl <= seconds + 1 && ttl >= seconds - 60, `memcached has ${ttl} s left`);
          }
        }
      }
    }
  });

  test("when two requests change the cookie, the session lives as the stored cookie says", async () => {
    const hour = 3_600_000;
    const day = 86_400_000;
    const ages: [first: number, one: number, other: number, isFixed?: boolean][] = [
      [60_000, 1500, hour], // the shorter one has an end of its own
      [60_000, hour, 1500],
      [1500, hour, 60_000],
      [hour, day, 1900],
      [60_000, 10_000, hour, true],
      [60_000, 10_000, 59_500, true], // as many seconds as before
    ];
    for (const disableTouch of [false, true]) {
      for (const [first, one, other, isFixed] of ages) {
        const { store, prefix } = make({ disableTouch });
        const maxAge = (ms: number): number | null => isFixed ? null : ms;
        const cookie = (ms: number): StoredCookie => ({
          originalMaxAge: maxAge(ms),
          expires: inMs(ms),
        });
        await store.set("a", { cookie: cookie(first) });
        const both = [await request(store, "a"), await request(store, "a")] as const;
        both[0].cookie = cookie(one);
        both[1].cookie = cookie(other);
        await store.set("a", both[0]);
        await store.set("a", both[1]);
        const read = await store.get("a");
        assert.equal(read?.cookie.originalMaxAge, maxAge(other));
        const left = Number(new Date(read.cookie.expires ?? NaN)) - Date.now();
        assert.ok(left <= other && left > other - 500, `${left} ms left of ${other}`);
        const ttl = await ttlOf(`${prefix}a`);
        assert.ok(
          ttl <= other / 1000 + 2 && ttl >= other / 1000 - 2,
          `${ttl} s left of ${other} ms`,
        );
      }
    }
  });

  test("requests at once keep each other's parts of the cookie", async () => {
    for (const maxAgeFirst of [true, false]) {
      const { store, prefix } = make();
      const cookie = { originalMaxAge: 4000, expires: inMs(4000), path: "/", priority: "low" };
      await store.set("a", { cookie });
      const both = [await request(store, "a"), await request(store, "a")] as const;
      both[0].cookie = { ...cookie, originalMaxAge: 3_600_000, expires: inMs(3_600_000) };
      const { priority: _, ...rest } = cookie;
      both[1].cookie = { ...rest, sameSite: "strict" };
      for (const session of maxAgeFirst ? both : [both[1], both[0]]) await store.set("a", session);
      const { expires, ...parts } = (await store.get("a"))?.cookie ?? {};
      assert.deepEqual(parts, { originalMaxAge: 3_600_000, path: "/", sameSite: "strict" });
      assert.ok(Number(new Date(expires ?? NaN)) > Date.now() + 3_500_000);
      assert.ok(await ttlOf(`${prefix}a`) > 3500);
    }
  });

  test("a request that is older than its cookie neither ends its session nor shortens it", async () => {
    // express-session has set the cookie's end when the response began, and that response was long.
    for (const disableTouch of [false, true]) {
      for (const left of [-1, 500, 30_000]) {
        const { store, prefix } = make({ disableTouch });
        const cookie = (): StoredCookie => ({ originalMaxAge: 60_000, expires: inMs(left) });
        const check = async (): Promise<void> => {
          const read = await store.get("a");
          assert.ok(read !== null, `it has ended, of a request with ${left} ms left`);
          assert.ok(Number(new Date(read.cookie.expires ?? 0)) > Date.now() + 50_000);
          assert.ok(await ttlOf(`${prefix}a`) > 50);
        };
        await store.set("a", { cookie: cookie() });
        await check();
        const old = await request(store, "a");
        const other = await request(store, "a");
        other["cart"] = 1;
        await store.set("a", other);
        old.cookie = cookie();
        await store.touch("a", old);
        await check();
        old["note"] = 1;
        await store.set("a", old);
        await check();
        await store.touch("a", { cookie: cookie() }); // read by nobody
        await check();
        assert.equal((await store.get("a"))?.["note"], 1);
      }
    }
    // The store itself keeps the end of so short a life, since memcached counts whole seconds.
    const { store } = make();
    await store.set("a", { cookie: { originalMaxAge: 2000, expires: inMs(2000) } });
    const old = await request(store, "a");
    old.cookie = { originalMaxAge: 2000, expires: inMs(-1) };
    await store.touch("a", old);
    assert.notEqual(await store.get("a"), null);
  });

  test("an end that an application of @fastify/session sets is kept", async () => {
    for (const disableTouch of [false, true]) {
      for (const wasRead of [false, true]) {
        const store = makeForFastify({ disableTouch });
        const endOf = async (): Promise<number> =>
          Number(new Date((await store.get("a"))?.cookie.expires ?? NaN));
        const cookie = (): StoredCookie => ({ originalMaxAge: 60_000, expires: inMs(60_000) });
        let session: StoredSession = { cookie: cookie() };
        if (wasRead) {
          await store.set("a", session);
          session = await fastifyRequest(store, "a");
        }
        const end = inMs(1900);
        session.cookie.expires = end;
        for (const note of [1, 2]) {
          session["note"] = note;
          await store.set("a", session);
          assert.equal(await endOf(), end.getTime());
        }
        await store.set("a", await store.get("a") ?? {}); // by one that sets no end anew
        await sleep(1000);
        assert.equal(await endOf(), end.getTime());
        await sleep(1000);
        assert.equal(await store.get("a"), null);
      }
    }
  });

  test("a session of @fastify/session slides again when its cookie's end is set anew", async () => {
    const store = makeForFastify();
    await store.set("a", { cookie: { originalMaxAge: 60_000, expires: inMs(1500) } });
    await store.set("a", await fastifyRequest(store, "a")); // as with `rolling`
    await sleep(1600);
    assert.ok(
      Number(new Date((await store.get("a"))?.cookie.expires ?? NaN)) > Date.now() + 50_000,
    );
  });

  test("a session of @fastify/session outlives a request that takes longer than maxAge", async () => {
    const store = makeForFastify();
    for (const maxAge of [2000, 4000]) {
      await store.set("a", { cookie: { originalMaxAge: maxAge, expires: inMs(maxAge) } });
      const slow = await fastifyRequest(store, "a");
      for (let waited = 0; waited < maxAge + 500; waited += 500) {
        await sleep(500);
        assert.notEqual(await store.get("a"), null);
        await store.set("a", await fastifyRequest(store, "a"));
      }
      slow["note"] = 1;
      await store.set("a", slow);
      const read = await store.get("a");
      assert.equal(read?.["note"], 1);
      assert.ok(Number(new Date(read?.cookie.expires ?? NaN)) > Date.now() + maxAge - 1000);
    }
  });

  test("a session in memory is the request's own", async () => {
    const { store } = make();
    await store.set("a", { cookie: {}, list: [1] });
    const [one, other] = [await request(store, "a"), await request(store, "a")];
    (one["list"] as number[]).push(2);
    assert.deepEqual(other["list"], [1]);
    await store.set("a", one);
    assert.deepEqual((await store.get("a"))?.["list"], [1, 2]);
  });

  test("a late save does not bring a session back, nor does a late touch", async () => {
    const { store } = make();
    await store.set("a", { cookie: {} });
    const late = await request(store, "a");
    await store.destroy("a");
    await store.set("a", { ...late, cookie: {} });
    assert.notEqual(await store.get("a"), null, "a session that nobody has read is a new one");
    await store.destroy("a");
    late["note"] = "late";
    await store.set("a", late);
    await store.touch("a", late);
    assert.equal(await store.get("a"), null);
  });

  test("a session that was not read replaces what is there", async () => {
    const { store } = make();
    await store.set("a", { cookie: {}, one: 1 });
    await store.set("a", { cookie: {}, two: 2 });
    assert.deepEqual({ ...await store.get("a") }, { cookie: {}, two: 2 });
  });

  test("touch costs nothing after a read, and keeps what the cookie says", async (t) => {
    const { store, prefix } = make();
    const cookie = { originalMaxAge: 60_000, expires: inMs(60_000), path: "/" };
    await store.set("a", { cookie });
    const session = await request(store, "a");
    const sent = listen(t);
    await store.touch("a", session);
    await store.set("a", session);
    assert.deepEqual(sent(), []);
    session.cookie = { ...session.cookie, originalMaxAge: 90_000, expires: inMs(90_000) };
    await store.touch("a", session);
    assert.equal((await store.get("a"))?.cookie.originalMaxAge, 90_000);
    assert.ok(await ttlOf(`${prefix}a`) >= 89);
    await store.touch("a", { cookie: { ...cookie, expires: inMs(30_000) } }); // read by nobody
    assert.ok(await ttlOf(`${prefix}a`) <= 60);
    await store.touch("nobody", { cookie });
    assert.equal(await store.get("nobody"), null);
  });

  test("the end that is read is the one that reading has set", async () => {
    const { store } = make();
    await store.set("a", { cookie: { originalMaxAge: 60_000, expires: inMs(60_000) } });
    const ends = async (): Promise<number> =>
      Number(new Date((await store.get("a"))?.cookie.expires ?? 0));
    const first = await ends();
    await sleep(20);
    assert.ok(await ends() >= first + 20);
  });

  test("with disableTouch a session ends, however often it is read", async () => {
    const { store } = make({ disableTouch: true, ttl: 3 });
    await store.set("a", { cookie: {} });
    await sleep(1200);
    const session = await request(store, "a");
    await store.touch("a", session);
    await sleep(2300); // memcached counts in whole seconds: it ends after two or three
    assert.equal(await store.get("a"), null);
    await store.set("b", { cookie: {} });
    await sleep(1200);
    await store.set("b", await request(store, "b"));
    await sleep(1800);
    assert.notEqual(await store.get("b"), null, "a save counts");
  });

  test("a slow request does not bring back a session that has ended meanwhile", async () => {
    for (const disableTouch of [false, true]) {
      const { store } = make({ disableTouch });
      // Of so short a life the store keeps the end, and memcached has the session for a while longer.
      const cookie = (): StoredCookie => ({ originalMaxAge: 1500, expires: inMs(1500) });
      await store.set("a", { cookie: cookie() });
      await store.set("kept", { cookie: cookie() });
      const slow = await request(store, "a");
      const alsoSlow = await request(store, "kept");
      await sleep(1000);
      const other = await request(store, "kept");
      other.cookie = cookie();
      other["cart"] = 1;
      await store.set("kept", other);
      await sleep(600);
      for (const [id, session] of [["a", slow], ["kept", alsoSlow]] as const) {
        session["note"] = 1;
        session.cookie = cookie();
        await store.set(id, session);
        await store.touch(id, session);
      }
      await store.touch("a", { cookie: cookie() }); // read by nobody
      assert.equal(await store.get("a"), null);
      const { cookie: _, ...kept } = await store.get("kept") ?? {};
      assert.deepEqual({ ...kept }, { cart: 1, note: 1 });
      await store.set("a", { cookie: cookie() });
      assert.notEqual(await store.get("a"), null, "a session that nobody has read is a new one");
    }
  });

  test("a slow request does not end a session that another one has given a later end", async () => {
    for (const how of ["set", "touch"] as const) {
      const { store } = make();
      await store.set("a", {
        cookie: { originalMaxAge: null, expires: inMs(1200) },
        user: "ada",
      });
      const slow = await request(store, "a");
      const other = await request(store, "a");
      other.cookie.expires = inMs(3_600_000);
      await store.set("a", other);
      await sleep(1300);
      slow["note"] = 1;
      await store[how]("a", slow);
      const { cookie: _, ...kept } = await store.get("a") ?? {};
      const note = how === "set" ? { note: 1 } : {};
      assert.deepEqual({ ...kept }, { user: "ada", ...note });
      slow.cookie.expires = inMs(-1000);
      await store[how]("a", slow);
      assert.equal(await store.get("a"), null, "an end of its own counts");
    }
  });

  test("a slow request does not end a session whose ttl another one has changed", async () => {
    const ttl = ({ until }: StoredSession): number => (Number(until) - Date.now()) / 1000;
    for (const how of ["set", "touch"] as const) {
      const { store } = make({ ttl });
      await store.set("a", { cookie: {}, until: Date.now() + 1200 });
      const slow = await request(store, "a");
      const other = await request(store, "a");
      other["until"] = Date.now() + 3_600_000;
      await store.set("a", other);
      await sleep(1300);
      await store[how]("a", slow);
      assert.notEqual(await store.get("a"), null);
      slow["until"] = 0;
      await store.set("a", slow);
      assert.equal(await store.get("a"), null, "an end of its own counts");
    }
  });

  test("all, ids, length and clear are of this prefix", async () => {
    const { store } = make();
    const { store: other } = make();
    await other.set("else", { cookie: {} });
    assert.deepEqual([await store.all(), await store.ids(), await store.length()], [[], [], 0]);
    await store.set("user:1", { cookie: {}, n: 1 });
    await store.set("user:2", { cookie: {}, n: 2 });
    assert.deepEqual((await store.ids()).sort(), ["user:1", "user:2"]);
    assert.equal(await store.length(), 2);
    const all = (await store.all()).sort((a, b) => Number(a["n"]) - Number(b["n"]));
    assert.deepEqual(all, [{ cookie: {}, n: 1, id: "user:1" }, { cookie: {}, n: 2, id: "user:2" }]);
    await store.clear();
    assert.equal(await store.length(), 0);
    assert.deepEqual(await other.ids(), ["else"]);
  });

  test("calls back as it resolves, and returns nothing then", async () => {
    const { store } = make();
    const called = <T>(call: (back: (error: unknown, result?: T) => void) => unknown) =>
      new Promise<T | undefined>((resolve, reject) => {
        const returned = call((error, result) => error ? reject(error) : resolve(result));
        assert.equal(returned, undefined);
      });
    await called((back) => store.set("a", { cookie: {}, n: 1 }, back));
    await called((back) => store.touch("a", { cookie: {} }, back));
    assert.equal((await called<StoredSession | null>((back) => store.get("a", back)))?.["n"], 1);
    assert.equal((await called<StoredSession[]>((back) => store.all(back)))?.length, 1);
    assert.deepEqual(await called<string[]>((back) => store.ids(back)), ["a"]);
    assert.equal(await called<number>((back) => store.length(back)), 1);
    await called((back) => store.destroy("a", back));
    await called((back) => store.clear(back));
    assert.equal(await called((back) => store.get("a", back)), null);
    await assert.rejects(called((back) => store.set("a b", { cookie: {} }, back)), REFUSED);
  });

  test("a callback that throws is called once, and its error is nobody's rejection", async () => {
    const script = new URL("./throwing_callback.ts", import.meta.url);
    const { stdout } = await runInChild(script, { args: [memcached.address] });
    assert.deepEqual(stdout.trim().split("\n"), ["get", "uncaught", "set", "uncaught"]);
  });

  test("a store that is down is an error with the status 503, for every method", async () => {
    await using down = new Memcached(`127.0.0.1:${await freePort()}`);
    const store = new MemwireStore({ client: down });
    const calls = [
      () => store.get("a"),
      () => store.set("a", { cookie: {} }),
      () => store.touch("a", { cookie: {} }),
      () => store.destroy("a"),
      () => store.all(),
      () => store.length(),
      () => store.clear(),
    ];
    for (const call of calls) {
      await assert.rejects(call(), { code: "SERVER_DOWN", status: 503, statusCode: 503 });
    }
  });

  test("a session is sealed if the store has a secret", async () => {
    const secret = "a secret of sixteen bytes";
    const sealed = new SessionStore({ client, namespace: "sealed:", secret });
    const store = new MemwireStore({ store: sealed });
    await store.set("a", { cookie: {}, n: 1 });
    assert.equal((await store.get("a"))?.["n"], 1);
    const open = new SessionStore({ client, namespace: "sealed:" });
    assert.equal(await open.get("a"), undefined);
  });
});

/** The commands that are sent from now on. */
function listen(t: TestContext): () => string[] {
  const sent: string[] = [];
  const hear = (message: unknown): number => sent.push((message as CommandMessage).operation);
  subscribe("memwire:command:start", hear);
  t.after(() => unsubscribe("memwire:command:start", hear));
  return () => sent.splice(0);
}

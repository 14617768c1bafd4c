/** Rules that hold for every call: arguments are checked before anything is sent; timeout and signal. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type CallOptions, Memcached, TimeoutError } from "../../../mod.ts";
import type { Part } from "./stage.ts";

type Call = (client: Memcached, key: string, options?: CallOptions) => Promise<unknown>;

/** Calls of each method that takes a key, correct except for what a test spoils. */
const KEYED: Readonly<Record<string, Call>> = {
  get: (client, key, options) => client.get(key, options),
  getMany: (client, key, options) => client.getMany([key], options),
  getItem: (client, key, options) => client.getItem(key, options),
  getAndTouch: (client, key, options) => client.getAndTouch(key, 60, options),
  has: (client, key, options) => client.has(key, options),
  set: (client, key, options) => client.set(key, 1, options),
  setMany: (client, key, options) => client.setMany([[key, 1]], options),
  add: (client, key, options) => client.add(key, 1, options),
  replace: (client, key, options) => client.replace(key, 1, options),
  append: (client, key, options) => client.append(key, "x", options),
  prepend: (client, key, options) => client.prepend(key, "x", options),
  cas: (client, key, options) => client.cas(key, 1, 5n, options),
  delete: (client, key, options) => client.delete(key, options),
  compareAndDelete: (client, key, options) => client.compareAndDelete(key, 5n, options),
  deleteMany: (client, key, options) => client.deleteMany([key], options),
  touch: (client, key, options) => client.touch(key, 60, options),
  increment: (client, key, options) => client.increment(key, 1, options),
  decrement: (client, key, options) => client.decrement(key, 1, options),
  update: (client, key, options) => client.update(key, () => 1, options),
  invalidate: (client, key, options) => client.invalidate(key, options),
};

/** The methods that have more options than a call's. */
const WITH_OPTIONS: Readonly<Record<string, Call>> = {
  fetch: (client, key) => client.fetch(key, () => 1, { ttl: 60 }),
  fetchMany: (client, key) =>
    client.fetchMany([key], () => Promise.resolve(new Map()), { ttl: 60 }),
  lock: (client, key) => client.lock(key, { ttl: 60 }),
};

/** The other methods. */
const CALLS: Readonly<Record<string, Call>> = {
  ...KEYED,
  version: (client, _, options) => client.version(options),
  stats: (client, _, options) => client.stats(undefined, options),
  flushAll: (client, _, options) => client.flushAll(options),
};

const TTLS: Readonly<Record<string, (client: Memcached, ttl: number) => Promise<unknown>>> = {
  getItem: (client, touch) => client.getItem("k", { touch }),
  getAndTouch: (client, ttl) => client.getAndTouch("k", ttl),
  set: (client, ttl) => client.set("k", 1, { ttl }),
  setMany: (client, ttl) => client.setMany([["k", 1]], { ttl }),
  add: (client, ttl) => client.add("k", 1, { ttl }),
  replace: (client, ttl) => client.replace("k", 1, { ttl }),
  cas: (client, ttl) => client.cas("k", 1, 5n, { ttl }),
  touch: (client, ttl) => client.touch("k", ttl),
  increment: (client, ttl) => client.increment("k", 1, { ttl }),
  decrement: (client, ttl) => client.decrement("k", 1, { ttl, initial: 1 }),
  update: (client, ttl) => client.update("k", () => undefined, { ttl }),
  fetch: (client, ttl) => client.fetch("k", () => 1, { ttl }),
  fetchMany: (client, ttl) => client.fetchMany(["k"], () => Promise.resolve(new Map()), { ttl }),
  lock: (client, ttl) => client.lock("k", { ttl }),
  flushAll: (client, delay) => client.flushAll({ delay }),
};

/** Asserts that a call rejects, and does not throw, with an argument error. */
async function refuses(
  call: () => Promise<unknown>,
  kind: typeof TypeError | typeof RangeError,
  what: string,
): Promise<void> {
  let promise: Promise<unknown>;
  try {
    promise = call();
  } catch (error) {
    assert.fail(`${what} threw ${error}`);
  }
  await assert.rejects(promise, (error: Error & { code?: string }) => {
    assert.ok(error instanceof kind, `${what}: ${error}`);
    assert.equal(error.code, "ERR_INVALID_ARGUMENT", what);
    return true;
  });
}

export const calls: Part = (on) => {
  test("wrong arguments reject in every method, and nothing is sent", async () => {
    // Nobody listens there, so a call that got as far as a connection would be a ServerDownError.
    const nowhere = new Memcached("127.0.0.1:1", { protocol: on().protocol });
    const odd = <T>(value: unknown): T => value as T;
    for (const [name, call] of Object.entries({ ...KEYED, ...WITH_OPTIONS })) {
      for (const key of ["", "a b", "a\r\nb", "k".repeat(251), "\ud800", "noreply", odd(1)]) {
        await refuses(() => call(nowhere, odd(key)), TypeError, `${name} of a key`);
      }
    }
    for (const [name, call] of Object.entries(CALLS)) {
      for (
        const [options, kind] of [
          [null, TypeError],
          [5, TypeError],
          [{ timeout: "5" }, TypeError],
          [{ timeout: null }, TypeError],
          [{ timeout: 0 }, RangeError],
          [{ timeout: -1 }, RangeError],
          [{ timeout: NaN }, RangeError],
          [{ timeout: Infinity }, RangeError],
          [{ signal: {} }, TypeError],
          [{ signal: null }, TypeError],
        ] as const
      ) {
        const what = `${name} with ${JSON.stringify(options)}`;
        await refuses(() => call(nowhere, "k", odd(options)), kind, what);
      }
    }
    for (const [name, call] of Object.entries(TTLS)) {
      for (const ttl of [-1, NaN, -Infinity, Date.now(), 2 ** 31]) {
        await refuses(() => call(nowhere, ttl), RangeError, `${name} with ttl ${ttl}`);
      }
      for (const ttl of ["60", null, 60n, new Date()]) {
        await refuses(() => call(nowhere, odd(ttl)), TypeError, `${name} with ttl ${ttl}`);
      }
    }
    await refuses(() => nowhere.touch("k", odd(undefined)), TypeError, "touch without a ttl");
    await refuses(() => nowhere.getAndTouch("k", odd(undefined)), TypeError, "getAndTouch too");
    for (
      const [delta, kind] of [
        [-1, RangeError],
        [1.5, RangeError],
        [2 ** 53, RangeError],
        [2n ** 64n, RangeError],
        ["1", TypeError],
        [null, TypeError],
      ] as const
    ) {
      await refuses(() => nowhere.increment("k", odd(delta)), kind, `by ${delta}`);
      await refuses(() => nowhere.decrement("k", odd(delta)), kind, `by ${delta}`);
      const initial = odd<number>(delta);
      await refuses(() => nowhere.increment("k", 1, { initial }), kind, `initial ${delta}`);
    }
    for (
      const [cas, kind] of [[1, TypeError], ["1", TypeError], [undefined, TypeError], [
        -1n,
        RangeError,
      ], [2n ** 64n, RangeError]] as const
    ) {
      await refuses(() => nowhere.cas("k", 1, odd(cas)), kind, `cas ${cas}`);
      await refuses(() => nowhere.compareAndDelete("k", odd(cas)), kind, `cas ${cas}`);
    }
    for (const data of [1, null, undefined, {}, new Uint16Array(1), new ArrayBuffer(1)]) {
      await refuses(() => nowhere.append("k", odd(data)), TypeError, `append of ${data}`);
      await refuses(() => nowhere.prepend("k", odd(data)), TypeError, `prepend of ${data}`);
    }
    for (const list of [undefined, null, 1, {}, "key"]) {
      await refuses(() => nowhere.getMany(odd(list)), TypeError, `getMany of ${list}`);
      await refuses(() => nowhere.deleteMany(odd(list)), TypeError, `deleteMany of ${list}`);
      await refuses(() => nowhere.setMany(odd(list)), TypeError, `setMany of ${list}`);
    }
    await refuses(() => nowhere.setMany(odd(["ab"])), TypeError, "setMany of no pairs");
    await refuses(() => nowhere.setMany(odd([1])), TypeError, "setMany of no pairs");
    await refuses(() => nowhere.update("k", odd("no function")), TypeError, "update");
    await refuses(() => nowhere.set("k", undefined), TypeError, "undefined");
    await refuses(() => nowhere.stats(odd("all")), TypeError, "stats");
    await refuses(() => nowhere.flushAll({ delay: Infinity }), RangeError, "flushAll");
    await nowhere.close();
  });

  test("a signal that has aborted: rejects with its reason, and nothing is sent", async () => {
    const { client, key } = on();
    const k = key();
    await client.set(k, 1);
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    for (const [name, call] of Object.entries(CALLS)) {
      await assert.rejects(call(client, k, { signal }), (error) => {
        assert.equal(error, reason, name);
        return true;
      });
    }
    await assert.rejects(client.get(k, { signal: AbortSignal.abort() }), { name: "AbortError" });
    assert.equal(await client.get(k), 1);
    // A wrong argument is reported first, because it is wrong every time.
    await assert.rejects(client.get("", { signal }), TypeError);
  });

  test("a silent server: timeout holds for every call, and no call rejects before it", async () => {
    const { key, silently } = on();
    const client = on().connect({ timeout: 20_000 });
    const k = key();
    await client.set(k, "here");
    await silently(async () => {
      const start = performance.now();
      const outcomes = await Promise.all(
        Object.entries(CALLS).map(async ([name, call]) => {
          const error = await call(client, k, { timeout: 60 }).then(() => undefined, (e) => e);
          return { name, error, ms: performance.now() - start };
        }),
      );
      for (const { name, error, ms } of outcomes) {
        const reason = ["getMany", "setMany", "deleteMany"].includes(name) ? error.cause : error;
        assert.ok(reason instanceof TimeoutError, `${name}: ${error}`);
        // flushAll has a connection of its own, whose handshake never ended.
        const wrote = /set|add|replace|append|prepend|cas|compare|crement/i.test(name);
        assert.equal(error.ambiguous, wrote, `${name} is ${wrote ? "" : "not "}ambiguous`);
        assert.ok(ms >= 59 && ms < 10_000, `${name}: ${ms} ms`);
      }
    });
    // The late replies belong to nobody.
    assert.equal(await client.get(key()), undefined);
  });

  test("abort in mid-flight: rejects at once, and the next call gets its own answer", async () => {
    const { key, silently } = on();
    const client = on().connect();
    const [a, b] = [key(), key()];
    await client.setMany([[a, "A"], [b, "B"]]);
    const reason = new Error("enough");
    const bystanders = await silently(async () => {
      const made = Object.entries(CALLS).map(([name, call]) => {
        const abort = new AbortController();
        const calls = [1, 2].map(() => call(client, a, { signal: abort.signal }));
        return { name, abort, calls, bystander: client.get(b) };
      });
      // Wait until all of it is written.
      await new Promise((resolve) => setTimeout(resolve, 10));
      for (const { name, abort, calls } of made) {
        abort.abort(reason);
        for (const outcome of await Promise.allSettled(calls)) {
          assert.deepEqual(outcome, { status: "rejected", reason }, name);
        }
      }
      return made.map(({ bystander }) => bystander);
    });
    for (const bystander of bystanders) assert.equal(await bystander, "B");
    assert.equal(await client.get(b), "B");
  });

  test("a signal may be shared by any number of calls, and abort when they are over", async () => {
    const { client, key } = on();
    const abort = new AbortController();
    const { signal } = abort;
    const names = Array.from({ length: 50 }, key);
    await Promise.all(names.map((name) => client.set(name, name, { signal })));
    assert.equal((await client.getMany(names, { signal })).size, 50);
    abort.abort();
    assert.equal(await client.get(names[0] as string), names[0]);
    await assert.rejects(client.get(names[0] as string, { signal }), { name: "AbortError" });
  });
};

/** fetch, fetchMany, invalidate. */
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { channel } from "node:diagnostics_channel";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { CommandMessage, FetchMessage } from "../../../mod.ts";
import { assertTtl, type Part } from "./stage.ts";

const OPTIONS = { ttl: 60, lease: 5 };

const unwanted = (): never => assert.fail("loaded");

/** A promise, and the functions that settle it. */
function gate(): { open: () => void; opened: Promise<void> } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => open = resolve);
  return { open, opened };
}

export const fetching: Part = (on) => {
  test("fetch: loaded once, then there for every read", async () => {
    const { client, key, ttl } = on();
    const k = key();
    let runs = 0;
    const load = (): string => `loaded ${++runs}`;
    assert.equal(await client.fetch(k, load, { ttl: 100 }), "loaded 1");
    assert.equal(await client.fetch(k, load, { ttl: 100 }), "loaded 1");
    assert.equal(await client.get(k), "loaded 1");
    assertTtl(await ttl(k), 100);
    assert.equal(await client.fetch(k, unwanted, { ttl: 5 }), "loaded 1", "its ttl stays");
    assertTtl(await ttl(k), 100);
  });

  test("fetch: every kind of value, empty ones too", async () => {
    const { client, key } = on();
    const values = [
      "",
      "text",
      0,
      -0,
      2n ** 70n,
      null,
      false,
      new Uint8Array(0),
      new Uint8Array([1, 2]),
      { a: [new Date(0)] },
      new Map([["a", 1]]),
      "x".repeat(100_000),
    ];
    for (const value of values) {
      const k = key();
      assert.deepEqual(await client.fetch(k, () => value, OPTIONS), value);
      assert.deepEqual(await client.fetch(k, unwanted, OPTIONS), value);
      assert.deepEqual(await client.get(k), value);
    }
  });

  test("fetch: a value that another command has stored is a hit", async () => {
    const { client, key } = on();
    const k = key();
    await client.set(k, { set: true });
    assert.deepEqual(await client.fetch(k, unwanted, OPTIONS), { set: true });
  });

  test("fetch: an absent result is stored with missTtl alone", async () => {
    const { client, key, ttl } = on();
    const k = key();
    let runs = 0;
    const load = (): undefined => void runs++;
    assert.equal(await client.fetch(k, load, OPTIONS), undefined);
    assert.equal(await client.fetch(k, load, OPTIONS), undefined);
    assert.equal(runs, 2);
    const options = { ...OPTIONS, missTtl: 100 };
    assert.equal(await client.fetch(k, load, options), undefined);
    assert.equal(await client.fetch(k, unwanted, options), undefined);
    assert.equal(runs, 3);
    // Every other read takes it for a miss, and every write may replace it.
    assert.equal(await client.get(k), undefined);
    assert.equal(await client.has(k), false);
    await client.set(k, "there");
    assert.equal(await client.fetch(k, unwanted, options), "there");
    assertTtl(await ttl(k), Infinity);
  });

  test("fetch: 400 cold callers on four clients load once", async () => {
    const { key } = on();
    const k = key();
    const clients = Array.from({ length: 4 }, () => on().connect());
    let runs = 0;
    const load = async (): Promise<string> => {
      runs++;
      await sleep(60);
      return "value";
    };
    const found = await Promise.all(
      Array.from(
        { length: 400 },
        (_, i) => (clients[i % 4] as typeof clients[number]).fetch(k, load, OPTIONS),
      ),
    );
    assert.deepEqual([runs, new Set(found)], [1, new Set(["value"])]);
  });

  test("fetch: a load that fails rejects its callers, and the next one loads", async () => {
    const { client, key } = on();
    const k = key();
    const error = new Error("source");
    let runs = 0;
    const load = async (): Promise<string> => {
      await sleep(1);
      if (runs++ === 0) throw error;
      return "value";
    };
    const calls = [1, 2, 3].map(() => client.fetch(k, load, OPTIONS));
    for (const call of calls) await assert.rejects(call, error);
    assert.equal(runs, 1);
    assert.equal(await on().connect().fetch(k, load, OPTIONS), "value");
    assert.equal(runs, 2);
    // Errors that are thrown at once, and thrown values that are not errors.
    await assert.rejects(client.fetch(key(), () => Promise.reject(undefined), OPTIONS));
    const thrown = client.fetch(key(), () => {
      throw error;
    }, OPTIONS);
    await assert.rejects(thrown, error);
  });

  test("fetch: a value is not stored if its key is deleted, set or invalidated during the load", async () => {
    const { client, key } = on();
    const other = on().connect();
    const changes: Readonly<Record<string, (k: string) => Promise<unknown>>> = {
      delete: (k) => other.delete(k),
      invalidate: (k) => other.invalidate(k),
      "invalidate with stale": (k) => other.invalidate(k, { stale: 30 }),
      "by the same client": (k) => client.invalidate(k),
      set: (k) => other.set(k, "set"),
    };
    for (const [name, change] of Object.entries(changes)) {
      const k = key();
      const begun = gate();
      const loaded = gate();
      const first = client.fetch(k, async () => {
        begun.open();
        await loaded.opened;
        return "old";
      }, OPTIONS);
      await begun.opened;
      await change(k);
      // This is called after the change, so it must not get the value that was loaded before.
      const late = client.fetch(k, () => "new", OPTIONS);
      loaded.open();
      assert.equal(await first, "old", name);
      assert.equal(await late, name === "set" ? "set" : "new", name);
      assert.equal(await client.get(k), name === "set" ? "set" : "new", name);
    }
  });

  test("invalidate: whether it was there", async () => {
    const { client, key } = on();
    const k = key();
    assert.equal(await client.invalidate(k), false);
    assert.equal(await client.invalidate(k, { stale: 30 }), false);
    await client.set(k, 1);
    assert.equal(await client.invalidate(k, { stale: 30 }), true);
    assert.equal(await client.get(k), on().dialect === "meta" ? 1 : undefined);
    await client.set(k, 2);
    assert.equal(await client.invalidate(k, { stale: 0 }), true);
    assert.equal(await client.get(k), undefined);
  });

  test("fetch: a signal rejects its caller; the load goes on while another waits", async () => {
    const { client, key } = on();
    const k = key();
    const controller = new AbortController();
    const { signal } = controller;
    const begun = gate();
    const loaded = gate();
    let loading: AbortSignal | undefined;
    const first = client.fetch(k, async ({ signal }) => {
      loading = signal;
      begun.open();
      await loaded.opened;
      return "value";
    }, { ...OPTIONS, signal });
    await begun.opened;
    const second = client.fetch(k, unwanted, OPTIONS);
    controller.abort(new Error("mine"));
    await assert.rejects(first, /mine/);
    assert.equal(loading?.aborted, false);
    loaded.open();
    assert.equal(await second, "value");
    assert.equal(loading?.aborted, false);
    await assert.rejects(client.fetch(k, unwanted, { ...OPTIONS, signal }), /mine/);
  });

  test("fetch: the load's signal aborts when nobody waits; the next caller loads at once", async () => {
    const { client, key } = on();
    const k = key();
    const controllers = [new AbortController(), new AbortController()];
    const begun = gate();
    let loading: AbortSignal | undefined;
    const calls = controllers.map(({ signal }) =>
      client.fetch(k, ({ signal }) => {
        loading = signal;
        begun.open();
        return new Promise((_, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason))
        );
      }, { ...OPTIONS, signal })
    );
    await begun.opened;
    controllers[0]?.abort(new Error("first"));
    await assert.rejects(calls[0] as Promise<unknown>, /first/);
    assert.equal(loading?.aborted, false);
    controllers[1]?.abort(new Error("second"));
    await assert.rejects(calls[1] as Promise<unknown>, /second/);
    assert.equal(loading?.aborted, true);
    assert.equal(await client.fetch(k, () => "next", OPTIONS), "next");
  });

  test("fetchMany: the stored values, and one load for the rest", async () => {
    const { client, key } = on();
    const [there, a, b, absent] = [key(), key(), key(), key()];
    await client.set(there, "there");
    const loads: (readonly string[])[] = [];
    const load = async (missing: readonly string[]): Promise<Map<string, string>> => {
      loads.push(missing);
      await sleep(5);
      return new Map(missing.filter((k) => k !== absent).map((k) => [k, `loaded ${k}`]));
    };
    const found = await client.fetchMany([a, there, absent, b, a], load, {
      ...OPTIONS,
      missTtl: 50,
    });
    assert.deepEqual(found, new Map([[a, `loaded ${a}`], [there, "there"], [b, `loaded ${b}`]]));
    assert.deepEqual(loads, [[a, absent, b]]);
    const all = new Set([a, there, absent, b]);
    assert.deepEqual(await client.fetchMany(all, load, OPTIONS), found, "absence is remembered");
    assert.deepEqual(await client.fetchMany([], load, OPTIONS), new Map());
    assert.equal(loads.length, 1);
    assert.equal(await client.get(a), `loaded ${a}`);
  });

  test("fetchMany: waits for keys that others load, in this client and in others", async () => {
    const { client, key } = on();
    const keys = [key(), key(), key(), key()] as const;
    const loads: string[] = [];
    const load =
      (name: string) => async (missing: readonly string[]): Promise<Map<string, string>> => {
        loads.push(...missing);
        await sleep(30);
        return new Map(missing.map((k) => [k, name]));
      };
    const single = client.fetch(keys[0], async () => {
      loads.push(keys[0]);
      await sleep(30);
      return "single";
    }, OPTIONS);
    const own = client.fetchMany(keys.slice(0, 2), load("own"), OPTIONS);
    const same = client.fetchMany(keys.slice(1, 3), load("same"), OPTIONS);
    const other = on().connect().fetchMany(keys, load("other"), OPTIONS);
    const found = await Promise.all([own, same, other]);
    assert.equal(await single, found[0].get(keys[0]));
    assert.deepEqual([...loads].sort(), [...keys].sort(), "each key was loaded once");
    for (const map of found) {
      for (const [k, value] of map) assert.equal(await client.get(k), value);
    }
    assert.equal(found[2].size, 4);
  });

  test("fetchMany: a load that fails, or that gives no Map", async () => {
    const { client, key } = on();
    const [there, a, b] = [key(), key(), key()];
    await client.set(there, "there");
    const error = new Error("source");
    const fail = (): Promise<Map<string, string>> => Promise.reject(error);
    await assert.rejects(client.fetchMany([there, a, b], fail, OPTIONS), error);
    const odd = (): never => ({ [a]: 1 }) as never;
    await assert.rejects(client.fetchMany([there, a], odd, OPTIONS), {
      name: "TypeError",
      code: "ERR_INVALID_ARGUMENT",
    });
    const load = (missing: readonly string[]): Promise<Map<string, number>> =>
      Promise.resolve(new Map(missing.map((k) => [k, 1])));
    const found = await client.fetchMany([a, b], load, OPTIONS);
    assert.deepEqual(found, new Map([[a, 1], [b, 1]]), "nothing is left of the failed load");
  });

  test("fetch and fetchMany: loaders, serializers and listeners run in their caller's context", async () => {
    const { key } = on();
    const local = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const note = (what: string): number => seen.push(`${what} ${local.getStore()}`);
    const client = on().connect({
      serializer: {
        serialize: () => {
          note("serialize");
          return { data: new Uint8Array(1), flags: 9 };
        },
        deserialize: () => note("deserialize"),
      },
    });
    await client.get(key()); // the socket is made in no context
    const k = key();
    const hear = (message: unknown): void => {
      if ((message as FetchMessage).server.address === client.serverFor(k).address) note("heard");
    };
    channel("memwire:fetch").subscribe(hear);
    try {
      const load = (): string => {
        note("load");
        return "value";
      };
      await local.run("first", () => client.fetch(k, load, OPTIONS));
      await local.run("second", () => client.fetch(k, load, OPTIONS));
      const expected = ["load first", "serialize first", "heard first"];
      assert.deepEqual(seen.splice(0), [...expected, "deserialize second", "heard second"]);
      const loadMany = (missing: readonly string[]): Promise<Map<string, string>> => {
        note("load");
        return Promise.resolve(new Map(missing.map((name) => [name, "value"])));
      };
      await local.run("many", () => client.fetchMany([key(), key()], loadMany, OPTIONS));
      const twice = ["serialize many", "serialize many", "heard many", "heard many"];
      assert.deepEqual(seen, ["load many", ...twice]);
    } finally {
      channel("memwire:fetch").unsubscribe(hear);
    }
  });

  test("the channel of commands counts what fetch has found", async () => {
    const { client, key } = on();
    const k = key();
    const messages: CommandMessage[] = [];
    const hear = (message: unknown): void => {
      const end = message as CommandMessage;
      if (end.operation === "lease" && end.server.address === client.serverFor(k).address) {
        messages.push(end);
      }
    };
    channel("memwire:command:end").subscribe(hear);
    try {
      await client.fetch(k, () => "value", OPTIONS);
      await client.fetch(k, unwanted, OPTIONS);
    } finally {
      channel("memwire:command:end").unsubscribe(hear);
    }
    assert.deepEqual([messages[0]?.hitCount, messages[0]?.missCount], [0, 1]);
    assert.deepEqual([messages.at(-1)?.hitCount, messages.at(-1)?.missCount], [1, 0]);
  });

  test("fetch and fetchMany: a loader that is not a function, and wrong options", async () => {
    const { client, key } = on();
    const k = key();
    const wrong = { code: "ERR_INVALID_ARGUMENT" };
    for (const load of [undefined, null, "x", Promise.resolve(1)]) {
      await assert.rejects(client.fetch(k, load as never, OPTIONS), wrong);
      await assert.rejects(client.fetchMany([k], load as never, OPTIONS), wrong);
    }
    for (const options of [undefined, {}, { ttl: undefined }, { ttl: "60" }]) {
      await assert.rejects(client.fetch(k, unwanted, options as never), wrong);
      await assert.rejects(client.fetchMany([k], unwanted, options as never), wrong);
    }
    const ranges = [
      ...[-1, NaN, Date.now()].map((ttl) => ({ ttl })),
      ...[-1, NaN, Infinity, 2 ** 31].map((stale) => ({ ttl: 60, stale })),
      ...[0, 1, NaN, Infinity, 2 ** 31].map((lease) => ({ ttl: 60, lease })),
      ...[-1, NaN, 2 ** 31].map((missTtl) => ({ ttl: 60, missTtl })),
    ];
    for (const options of ranges) {
      const what = { ...wrong, name: "RangeError" };
      await assert.rejects(client.fetch(k, unwanted, options), what, JSON.stringify(options));
      await assert.rejects(client.fetchMany([k], unwanted, options), what);
    }
    await assert.rejects(client.fetchMany("ab" as never, unwanted, OPTIONS), wrong);
    await assert.rejects(client.invalidate(k, { stale: Infinity }), wrong);
    assert.equal(await client.get(k), undefined);
  });
};

// Every options object of the package refuses unknown options: constructors and synchronous methods throw,
// methods that return a promise reject and never throw, and nothing is sent.
import assert from "node:assert/strict";
import { channel } from "node:diagnostics_channel";
import { after, before, describe, test } from "node:test";
import {
  Memcached,
  readCookie,
  sessionCookie,
  SessionStore,
  type SessionStoreOptions,
} from "../../mod.ts";
import { ManualClock, MemcachedServer } from "../../src/testing/mod.ts";
import { deserialize, serialize } from "../../src/v8/mod.ts";

/** Options without their types, as in JavaScript or after spreading an object. */
type Loose = never;

const REFUSED = { name: "TypeError", code: "ERR_INVALID_ARGUMENT" };

/** Values that are not options objects. */
const NO_OPTIONS = [null, 5, "x", [], [1], new Map(), new Date(), () => 1, Object.create({ a: 1 })];

function unknown(name: string, right: string): Record<string, unknown> {
  return {
    ...REFUSED,
    message: new RegExp(`unknown option "${name}", did you mean "${right}"\\?$`),
  };
}

describe("calls", () => {
  const client = new Memcached("127.0.0.1:1");
  const store = new SessionStore<Record<string, unknown>>({ client });
  const session = store.open().then((session) => session.set("a", 1));
  let events = 0;
  const count = (): number => events++;
  before(() => channel("memwire:connection").subscribe(count));
  after(async () => {
    channel("memwire:connection").unsubscribe(count);
    await client.close();
  });

  const CALLS: Readonly<Record<string, (options: Loose) => Promise<unknown>>> = {
    get: (options) => client.get("k", options),
    getMany: (options) => client.getMany(["k"], options),
    getItem: (options) => client.getItem("k", options),
    getAndTouch: (options) => client.getAndTouch("k", 5, options),
    has: (options) => client.has("k", options),
    append: (options) => client.append("k", "v", options),
    prepend: (options) => client.prepend("k", "v", options),
    delete: (options) => client.delete("k", options),
    compareAndDelete: (options) => client.compareAndDelete("k", 1n, options),
    deleteMany: (options) => client.deleteMany(["k"], options),
    touch: (options) => client.touch("k", 5, options),
    invalidate: (options) => client.invalidate("k", options),
    flushAll: (options) => client.flushAll(options),
    stats: (options) => client.stats(undefined, options),
    version: (options) => client.version(options),
    "store.get": (options) => store.get("id", options),
    "store.has": (options) => store.has("id", options),
    "store.delete": (options) => store.delete("id", options),
    "store.pop": (options) => store.pop("id", options),
    "store.touch": (options) => store.touch("id", 5, options),
    "store.open": (options) => store.open("id", options),
    "store.storeSession": async (options) => await store.storeSession(await session, options),
  };
  const STORING: typeof CALLS = {
    set: (options) => client.set("k", 1, options),
    setMany: (options) => client.setMany([["k", 1]], options),
    add: (options) => client.add("k", 1, options),
    replace: (options) => client.replace("k", 1, options),
    cas: (options) => client.cas("k", 1, 1n, options),
    increment: (options) => client.increment("k", 1, options),
    decrement: (options) => client.decrement("k", 1, options),
    update: (options) => client.update("k", () => 1, options),
    "store.set": (options) => store.set("id", { a: 1 }, options),
    "store.setDefault": (options) => store.setDefault("id", { a: 1 }, options),
    "store.update": (options) => store.update("id", () => ({ a: 1 }), options),
  };
  const keys = (options: Loose): Promise<unknown> => client.keys(options).next();

  for (const [name, call] of Object.entries({ ...CALLS, ...STORING, keys })) {
    test(`${name} rejects a value that is not an options object, or that has unknown names`, async () => {
      for (const options of NO_OPTIONS) {
        await assert.rejects(call(options as Loose), { ...REFUSED, message: /options|option/ });
      }
      await assert.rejects(call({ retries: 2 } as Loose), {
        ...REFUSED,
        message: /^unknown option "retries", expected /,
      });
      await assert.rejects(call({ abort: undefined } as Loose), unknown("abort", "signal"));
    });
  }

  test("a call that stores takes ttl, by this name only; no other call takes it", async () => {
    for (const call of Object.values(STORING)) {
      await assert.rejects(call({ ttl: -1 } as Loose), { name: "RangeError" });
      await assert.rejects(call({ ttl: null } as Loose), REFUSED);
      for (const name of ["expires", "EX", "lifetime", "maxAge", "exptime"]) {
        await assert.rejects(call({ [name]: 60 } as Loose), unknown(name, "ttl"));
      }
    }
    for (const [name, call] of Object.entries(CALLS)) {
      await assert.rejects(call({ ttl: 5 } as Loose), REFUSED, name);
    }
  });

  test("options that only one call takes", async () => {
    await assert.rejects(client.getItem("k", { ttl: 5 } as Loose), unknown("ttl", "touch"));
    await assert.rejects(client.getItem("k", { touch: "5" as never }), REFUSED);
    await assert.rejects(
      client.increment("k", 1, { default: 1 } as Loose),
      unknown("default", "initial"),
    );
    await assert.rejects(client.flushAll({ after: 5 } as Loose), unknown("after", "delay"));
    await assert.rejects(
      client.keys({ namespace: "a" } as Loose).next(),
      unknown("namespace", "prefix"),
    );
    await assert.rejects(client.keys({ timeout: 5 } as Loose).next(), REFUSED);
    await assert.rejects(client.keys({ signal: {} as AbortSignal }).next(), REFUSED);
  });

  test("nothing was sent, and undefined counts as not given", async () => {
    assert.equal(events, 0);
    const nothing = { timeout: undefined, signal: undefined };
    for (const call of [...Object.values(CALLS), ...Object.values(STORING)]) {
      // Nobody listens on port 1, so SERVER_DOWN shows that the options were accepted.
      await assert.rejects(
        call(nothing as Loose),
        (error: { code?: string }) => ["SERVER_DOWN", "PARTIAL"].includes(error.code ?? ""),
      );
    }
    assert.ok(events > 0);
  });

  test("inherited options are not read", async () => {
    const polluted = Object.prototype as { timeout?: unknown; ttl?: unknown };
    polluted.timeout = "never";
    polluted.ttl = "never";
    try {
      for (const options of [undefined, {}, { signal: AbortSignal.timeout(10_000) }]) {
        await assert.rejects(client.set("k", 1, options), { code: "SERVER_DOWN" });
        await assert.rejects(client.increment("k", 1, options), { code: "SERVER_DOWN" });
      }
    } finally {
      delete polluted.timeout;
      delete polluted.ttl;
    }
  });
});

describe("constructors", () => {
  const MAKES: Readonly<Record<string, (options: Loose) => unknown>> = {
    Memcached: (options) => new Memcached("localhost", options),
    SessionStore: (options) => new SessionStore(options),
    "fromSettings, settings": (settings) => SessionStore.fromSettings(settings),
    "fromSettings, options": (options) => SessionStore.fromSettings({}, options),
    auth: (auth) => new Memcached("localhost", { auth }),
    tls: (tls) => new Memcached("localhost", { tls }),
    "a server": (server) => new Memcached([server]),
    sessionCookie: (options) => sessionCookie("id", options),
    serialize: (options) => serialize(1, options),
    deserialize: (options) => deserialize(serialize(1), options),
  };
  for (const [name, make] of Object.entries(MAKES)) {
    test(`${name} throws for a value that is not an options object`, () => {
      for (const options of NO_OPTIONS) {
        if (name === "a server" && (typeof options === "string" || Array.isArray(options))) {
          continue;
        }
        assert.throws(() => make(options as Loose), REFUSED, String(options));
      }
      if (name !== "tls") {
        assert.throws(() => make({ nothingOfThis: undefined } as Loose), {
          ...REFUSED,
          message: /unknown option "nothingOfThis", expected /,
        });
      }
    });
  }

  const MISNAMED: ReadonlyArray<readonly [at: string, name: string, right: string]> = [
    ["Memcached", "namespace", "prefix"],
    ["Memcached", "connection_timeout", "connectTimeout"],
    ["Memcached", "ssl", "tls"],
    ["SessionStore", "secrets", "secret"],
    ["SessionStore", "server", "servers"],
    ["SessionStore", "prefix", "namespace"],
    ["SessionStore", "expires", "ttl"],
    ["SessionStore", "maxValueBytes", "maxBytes"],
    ["fromSettings, options", "secrets", "secret"],
    ["fromSettings, settings", "Sessiontimeout", "SessionTimeout"],
    ["fromSettings, settings", "MemcachedServer", "MemcachedServers"],
    ["auth", "user", "username"],
    ["auth", "pass", "password"],
    ["a server", "hostname", "host"],
    ["sessionCookie", "expires", "maxAge"],
    ["sessionCookie", "samesite", "sameSite"],
    ["serialize", "maxdepth", "maxDepth"],
    ["deserialize", "maxdepth", "maxDepth"],
  ];
  for (const [at, name, right] of MISNAMED) {
    test(`${at}: ${name} is refused, and ${right} named`, () => {
      const make = MAKES[at] as (options: Loose) => unknown;
      assert.throws(() => make({ [name]: "x" } as Loose), unknown(name, right));
      assert.throws(() => make({ [name]: undefined } as Loose), unknown(name, right));
    });
  }

  test("null does not mean the default", () => {
    for (const name of ["timeout", "prefix", "hashing", "maxPending", "auth", "serializer"]) {
      assert.throws(() => new Memcached("a", { [name]: null } as Loose), REFUSED, name);
    }
    for (const name of ["ttl", "namespace", "alwaysSave", "maxBytes", "onIteration", "client"]) {
      assert.throws(() => new SessionStore({ [name]: null } as Loose), REFUSED, name);
      assert.throws(() => SessionStore.fromSettings({}, { [name]: null } as Loose), REFUSED, name);
    }
  });

  test("a secret that is undefined is refused; any other undefined option counts as not given", () => {
    const names = ["servers", "ttl", "namespace", "client", "tls", "auth", "serializer"];
    const nothing = Object.fromEntries(names.map((name) => [name, undefined]));
    assert.equal(new SessionStore(nothing).mcKey("id"), "WebwareSessionid");
    const secret: SessionStoreOptions = { secret: undefined as never };
    assert.throws(() => new SessionStore(secret), { ...REFUSED, message: /^secret must be/ });
  });

  test("Webware's settings: process-wide settings with other keys are refused", () => {
    const settings = { SessionTimeout: 60, ContextPath: "/app" };
    assert.throws(() => SessionStore.fromSettings(settings), {
      ...REFUSED,
      message: /^settings: unknown option "ContextPath", expected MemcachedServers, /,
    });
    assert.throws(() => SessionStore.fromSettings(undefined as Loose), REFUSED);
    assert.throws(() => SessionStore.fromSettings({ AlwaysSaveSessions: "no" as never }), REFUSED);
  });

  test("tls: its five names are checked, others are node:tls's", () => {
    const make = (tls: unknown): unknown => new Memcached("a", { tls } as Loose);
    const wrong: ReadonlyArray<readonly [tls: object, words: RegExp]> = [
      [{ ca: 5 }, /^tls\.ca must be PEM/],
      [{ cert: ["x"] }, /^tls\.cert must be PEM as a string or a Uint8Array, not an array$/],
      [{ key: null }, /^tls\.key must be PEM/],
      [{ servername: "" }, /^tls\.servername must not be empty$/],
      [{ rejectUnauthorized: 0 }, /^tls\.rejectUnauthorized must be true or false, not a number$/],
      [{ rejectUnauthorized: "false" }, /^tls\.rejectUnauthorized must be true or false/],
    ];
    for (const [tls, message] of wrong) {
      assert.throws(() => make(tls), { ...REFUSED, message });
    }
    make({ ca: undefined, minVersion: "TLSv1.3", ciphers: "x" });
  });

  test("MemcachedServer.start rejects, and never throws", async () => {
    for (const options of NO_OPTIONS) {
      await assert.rejects(MemcachedServer.start(options as Loose), REFUSED);
    }
    const start = MemcachedServer.start({ memory: 5 } as Loose);
    await assert.rejects(start, unknown("memory", "memoryLimit"));
  });

  test("ManualClock takes seconds, and goes on by seconds", () => {
    for (const seconds of ["5", null, {}] as Loose[]) {
      assert.throws(() => new ManualClock(seconds), REFUSED);
      assert.throws(() => new ManualClock().advance(seconds), REFUSED);
    }
    for (const seconds of [NaN, Infinity]) {
      assert.throws(() => new ManualClock(seconds), { name: "RangeError" });
      assert.throws(() => new ManualClock().advance(seconds), { name: "RangeError" });
    }
  });

  test("readCookie: a header that is not a string is a TypeError", () => {
    for (const header of [["a=b"], 5, {}, new Headers(), true]) {
      assert.throws(() => readCookie(header as Loose), REFUSED);
    }
    for (const name of [5, "", null, "a b"]) {
      assert.throws(() => readCookie("a=b", name as Loose), REFUSED);
    }
  });
});

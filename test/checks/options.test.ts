// The rules of options objects, tested on the function that reads them: names, kinds, and what is not read.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runInNewContext } from "node:vm";
import { nearestName } from "../../src/checks/names.ts";
import { type Given, readOptions } from "../../src/checks/options.ts";

interface Options {
  ttl?: number | undefined;
  signal?: unknown;
}

const read = (options: unknown, what?: string): Given<Options> =>
  readOptions<Options>(options as Options, { ttl: undefined, signal: undefined }, what);

const refused = (message: RegExp | string): Record<string, unknown> => ({
  name: "TypeError",
  code: "ERR_INVALID_ARGUMENT",
  message,
});

describe("an options object", () => {
  test("gives its own properties; undefined counts as not given", () => {
    assert.deepEqual(read(undefined), { ttl: undefined, signal: undefined });
    assert.deepEqual(read({}), { ttl: undefined, signal: undefined });
    assert.deepEqual(read({ ttl: 5 }), { ttl: 5, signal: undefined });
    assert.deepEqual(read({ ttl: undefined, signal: null }), { ttl: undefined, signal: null });
    assert.deepEqual(read(Object.create(null)), { ttl: undefined, signal: undefined });
    assert.equal(read(Object.assign(Object.create(null), { ttl: 5 })).ttl, 5);
  });

  test("an unknown option is refused, whatever its value", () => {
    for (const value of [undefined, null, false, 0, "", {}]) {
      assert.throws(
        () => read({ expires: value }),
        refused('unknown option "expires", did you mean "ttl"?'),
      );
    }
    assert.throws(
      () => read({ ttl: 5, retries: 3 }),
      refused('unknown option "retries", expected ttl, signal'),
    );
    assert.throws(
      () => read({ expires: 5 }, "auth"),
      refused('auth: unknown option "expires", did you mean "ttl"?'),
    );
    for (const name of ["toString", "constructor", "__proto__", "hasOwnProperty", ""]) {
      const options = JSON.parse(`{ ${JSON.stringify(name)}: 1 }`) as unknown;
      assert.throws(() => read(options), refused(/^unknown option "\w*", expected ttl, signal$/));
    }
    assert.throws(() => read({ ["x".repeat(99)]: 1 }), refused(/^unknown option "x{40}\.\.\.", /));
  });

  test("nothing inherited is refused or read, nor are symbols and hidden properties", () => {
    class Base {
      inherited = 1;
      get ttl(): number {
        throw new Error("was read");
      }
      get unknown(): number {
        throw new Error("was read");
      }
    }
    const own = Object.create(new Base(), {
      signal: { value: 1, enumerable: true },
      hidden: { value: 1, enumerable: false },
    });
    own[Symbol("s")] = 1;
    assert.deepEqual(read(own), { ttl: undefined, signal: 1 });
    const polluted = Object.prototype as { ttl?: number };
    polluted.ttl = 5;
    try {
      assert.equal(read({ signal: 1 }).ttl, undefined);
      assert.equal(read({}).ttl, undefined);
    } finally {
      delete polluted.ttl;
    }
  });

  test("each property is read once", () => {
    let reads = 0;
    const options = {
      get ttl(): number {
        return ++reads;
      },
    };
    assert.equal(read(options).ttl, 1);
    assert.equal(reads, 1);
  });

  test("values that are not options objects are refused", () => {
    const kinds: ReadonlyArray<readonly [value: unknown, kind: string]> = [
      [null, "null"],
      [5, "a number"],
      ["ttl", "a string"],
      [true, "a boolean"],
      [() => 1, "a function"],
      [[], "an array"],
      [[5], "an array"],
      [Object.assign([], { ttl: 5 }), "an array"],
      [new Map([["ttl", 5]]), "a Map"],
      [new Date(), "a Date"],
      [new Request("http://localhost/"), "a Request"],
      [new URL("http://localhost/"), "a URL"],
      [Object.create({ ttl: 5 }), "an object"],
      [AbortSignal.timeout(1), "a AbortSignal"],
    ];
    for (const [value, kind] of kinds) {
      const message = `options must be an object of options, not ${kind}`;
      assert.throws(() => read(value), refused(message), kind);
    }
    assert.throws(() => read(5, "tls"), refused("tls must be an object of options, not a number"));
  });

  test("an instance with own, known properties is accepted, and so is an object of another realm", () => {
    class Settings {
      ttl = 7;
    }
    assert.equal(read(new Settings()).ttl, 7);
    assert.equal(read(runInNewContext("({ ttl: 7 })")).ttl, 7);
    assert.equal(read(runInNewContext("({})")).ttl, undefined);
  });
});

test("the message names the option that was meant", () => {
  const STORE = ["timeout", "signal", "ttl"];
  const SESSIONS = ["servers", "client", "namespace", "ttl", "absoluteTtl", "secret", "maxBytes"];
  const CLIENT = ["hashing", "prefix", "timeout", "connectTimeout", "failover", "maxValueBytes"];
  const meant: ReadonlyArray<readonly [known: string[], name: string, meant: string | undefined]> =
    [
      ...["expires", "expiry", "expiration", "EX", "ex", "lifetime", "maxAge", "max_age", "exptime"]
        .map((name): [string[], string, string] => [STORE, name, "ttl"]),
      [STORE, "TTL", "ttl"],
      [STORE, "tll", "ttl"],
      [STORE, "tmieout", "timeout"],
      [STORE, "time_out", "timeout"],
      [STORE, "signals", "signal"],
      [STORE, "to", undefined],
      [STORE, "it", undefined],
      [STORE, "retries", undefined],
      [STORE, "poolSize", undefined],
      [SESSIONS, "secrets", "secret"],
      [SESSIONS, "sercet", "secret"],
      [SESSIONS, "server", "servers"],
      [SESSIONS, "hosts", "servers"],
      [SESSIONS, "host", "servers"],
      [SESSIONS, "prefix", "namespace"],
      [SESSIONS, "maxValueBytes", "maxBytes"],
      [SESSIONS, "absoluteTTL", "absoluteTtl"],
      [CLIENT, "namespace", "prefix"],
      [CLIENT, "keyPrefix", "prefix"],
      [CLIENT, "connectionTimeout", "connectTimeout"],
      [CLIENT, "fail_over", "failover"],
      [CLIENT, "maxValue", "maxValueBytes"],
      [["username", "password"], "user", "username"],
      [["name", "maxAge", "path"], "expires", "maxAge"],
      [["name", "maxAge", "path"], "ttl", "maxAge"],
    ];
  for (const [known, name, right] of meant) assert.equal(nearestName(name, known), right, name);
});

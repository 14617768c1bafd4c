// How each client's table stores and reads values. The vectors were computed from the rules in the clients' own
// sources; test/real_clients runs the clients themselves.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, test } from "node:test";
import { deflateSync, gzipSync } from "node:zlib";
import { CorruptValueError, SerializationError } from "../../mod.ts";
import { oneScene, type ValuesName } from "./scene.ts";

const on = oneScene();

/** A value, and how it is stored: its flags, and its bytes as latin1. It must come back unchanged. */
type Row = readonly [value: unknown, flags: number, bytes: string];

const utf8 = (text: string): string => Buffer.from(text).toString("latin1");
const bytes = (latin1: string): Uint8Array => new Uint8Array(Buffer.from(latin1, "latin1"));
const WIDE = "ä€😀\0";

const ROWS: Readonly<Partial<Record<ValuesName, readonly Row[]>>> = {
  "python-memcached": [
    ["text", 16, "text"],
    [WIDE, 16, utf8(WIDE)],
    ["12 ", 16, "12 "],
    [bytes("\0\xff"), 0, "\0\xff"],
    [-5, 2, "-5"],
    [Number.MAX_SAFE_INTEGER, 2, "9007199254740991"],
    [2n ** 100n, 4, "1267650600228229401496703205376"],
  ],
  php: [
    ["text", 0, "text"],
    ["", 0, ""],
    [WIDE, 0, utf8(WIDE)],
    [bytes("\xff\xfe"), 0, "\xff\xfe"],
    [0, 1, "0"],
    [-7, 1, "-7"],
    [2n ** 63n - 1n, 1, "9223372036854775807"],
    [1.5, 2, "1.5"],
    [1e22, 2, "1e+22"],
    [-0, 2, "-0"],
    [NaN, 2, "NaN"],
    [-Infinity, 2, "-Infinity"],
    [true, 3, "1"],
    [false, 3, ""],
    [null, 6, "null"],
    [{ a: [1, "é"] }, 6, utf8('{"a":[1,"é"]}')],
  ],
  dalli: [
    ["text", 4, "text"],
    ["123", 4, "123"],
    [WIDE, 4, utf8(WIDE)],
    [bytes("123"), 0, "123"],
    [5, 1, "5"],
    [true, 1, "true"],
    [null, 1, "null"],
    [{ a: [1.5] }, 1, '{"a":[1.5]}'],
  ],
  spymemcached: [
    ["text", 0, "text"],
    [WIDE, 0, utf8(WIDE)],
    [true, 256, "1"],
    [false, 256, "0"],
    [0, 512, ""],
    [1, 512, "\x01"],
    [256, 512, "\x01\0"],
    [-1, 512, "\xff\xff\xff\xff"],
    [2 ** 31 - 1, 512, "\x7f\xff\xff\xff"],
    [-(2 ** 31), 512, "\x80\0\0\0"],
    [2 ** 31, 768, "\x80\0\0\0"],
    [-(2 ** 31) - 1, 768, "\xff\xff\xff\xff\x7f\xff\xff\xff"],
    [2n ** 63n - 1n, 768, "\x7f\xff\xff\xff\xff\xff\xff\xff"],
    [-(2n ** 63n), 768, "\x80\0\0\0\0\0\0\0"],
    [new Date(0), 1024, ""],
    [new Date(1.7e12), 1024, "\x01\x8b\xcf\xe5h\0"],
    [1.5, 1792, "?\xf8\0\0\0\0\0\0"],
    [-0, 1792, "\x80\0\0\0\0\0\0\0"],
    [5e-324, 1792, "\x01"],
    [NaN, 1792, "\x7f\xf8\0\0\0\0\0\0"],
    [bytes("\0\x01"), 2048, "\0\x01"],
  ],
  memjs: [
    [bytes(""), 0, ""],
    [bytes("\0\xff\r\n"), 0, "\0\xff\r\n"],
  ],
  memcached: [
    ["text", 0, "text"],
    ["a\r\nb\\\r", 0, "a\\\r\\\nb\\\\\r"],
    [WIDE, 0, utf8(WIDE)],
    [bytes("\0\xff\n"), 4, "\0\xc3\xbf\\\n"],
    [5, 8, "5"],
    [-1.5e-7, 8, "-1.5e-7"],
    [-0, 8, "-0"],
    [Infinity, 8, "Infinity"],
    [true, 2, "true"],
    [null, 2, "null"],
    [["a\n", { b: null }], 2, '["a\\n",{"b":null}]'],
  ],
  "memcache-client": [
    ["text", 0, "text"],
    [WIDE, 0, utf8(WIDE)],
    [bytes("\0\xff"), 8, "\0\xff"],
    [5, 4, "5"],
    [-0, 4, "-0"],
    [1e300, 4, "1e+300"],
    [null, 2, "null"],
    [{ a: [true] }, 2, '{"a":[true]}'],
  ],
};

for (const [values, rows] of Object.entries(ROWS) as [ValuesName, readonly Row[]][]) {
  test(`${values}: each kind of value has its flags and bytes, and comes back`, async () => {
    const client = on().of(values);
    for (const [value, flags, stored] of rows) {
      assert.deepEqual(await on().store(client, value), [flags, stored], String(value));
      const back = await on().read(client, stored, flags);
      assert.deepEqual(back, value);
      assert.ok(Object.is(back, value) || typeof value === "object", String(value));
      if (value instanceof Uint8Array) {
        assert.equal(Object.getPrototypeOf(back), Uint8Array.prototype);
        assert.equal((back as Uint8Array).buffer.byteLength, value.length);
      }
    }
  });
}

/** Stored values that memwire reads, but writes in another way. */
const READ: readonly (readonly [
  values: ValuesName,
  bytes: string | Uint8Array,
  flags: number,
  value: unknown,
])[] = [
  ["python-memcached", "9007199254740992", 2, 2n ** 53n],
  ["python-memcached", "7", 4, 7n],
  ["python-memcached", deflateSync("text"), 24, "text"],
  ["python-memcached", deflateSync("text"), 8, bytes("text")],
  ["php", "99 ", 1, 99],
  ["php", ".5", 2, 0.5],
  ["php", "1e-07", 2, 1e-7],
  ["php", "text", 65536 * 7, "text"], // flags of PHP's users
  ["php", Buffer.concat([Buffer.of(4, 0, 0, 0), deflateSync("text")]), 48, "text"],
  ["php", Buffer.concat([Buffer.of(7, 0, 0, 0), deflateSync('{"a":1}')]), 54, { a: 1 }],
  // FastLZ, level 1: 5 literals "abcab", then 10 bytes from 3 bytes before.
  ["php", "\x0f\0\0\0\x04abcab\xe0\x01\x02", 80, "abc".repeat(5)],
  // Level 2: a length of 255 + 3 + 1 more bytes.
  ["php", "\x0c\x01\0\0\x20a\xe0\xff\x03\0", 80, "a".repeat(1 + 6 + 255 + 3 + 3)],
  ["dalli", "\xff\xfe", 0, bytes("\xff\xfe")],
  ["dalli", deflateSync("text"), 6, "text"],
  ["dalli", deflateSync("[1]"), 3, [1]],
  ["spymemcached", "\x05", 768, 5],
  ["spymemcached", "\xff", 1280, -1],
  ["spymemcached", "", 1280, 0],
  ["spymemcached", "?\xc0\0\0", 1536, 1.5],
  ["spymemcached", gzipSync("text"), 2, "text"],
  ["spymemcached", gzipSync("\0\x01"), 2050, bytes("\0\x01")],
  ["memjs", "5", 12345, bytes("5")],
  ["memcached", "9 ", 8, 9],
  ["memcache-client", "null", 4, NaN],
];

test("values that other versions and settings of these clients write are read", async () => {
  for (const [values, stored, flags, value] of READ) {
    assert.deepEqual(await on().read(on().of(values), stored, flags), value, `${values} ${flags}`);
  }
});

describe("a value that a table cannot express is refused, and nothing is sent:", () => {
  const cyclic: Record<string, unknown> = {};
  cyclic["self"] = cyclic;
  class Point {
    #x = 1;
    get x(): number {
      return this.#x;
    }
  }
  const notJson: readonly (readonly [unknown, string])[] = [
    [(): void => {}, ""],
    [Symbol("s"), ""],
    [{ a: { b: (): void => {} } }, "a.b"],
    [[0, [1n]], "[1][0]"],
    [{ list: [1, NaN] }, "list[1]"],
    [[undefined], "[0]"],
    [{ m: new Map([[1, 2]]) }, "m"],
    [new Set([1]), ""],
    [{ at: [new Uint8Array(1)] }, "at[0]"],
    [new Point(), ""],
    [{ p: Promise.resolve() }, "p"],
    [{ r: /x/ }, "r"],
    [cyclic, ""],
  ];
  const refused: Readonly<Partial<Record<ValuesName, readonly (readonly [unknown, string])[]>>> = {
    "python-memcached": [[true, ""], [null, ""], [1.5, ""], [-0, ""], [{}, ""], ["\ud800", ""]],
    php: [[2n ** 63n, ""], ["\udc00", ""], ...notJson],
    dalli: [["\ud800", ""], [1n, ""], [NaN, ""], ...notJson],
    spymemcached: [
      ...[null, {}, [1], 2n ** 63n, "\ud800", new Date(NaN), (): void => {}].map((value) =>
        [value, ""] as const
      ),
    ],
    memjs: [[5, ""], [true, ""], [null, ""], [{}, ""], [1n, ""], ["\ud800", ""]],
    memcached: [["\ud800", ""], [1n, ""], ...notJson],
    "memcache-client": [
      ...["\ud800", true, 1n, NaN, Infinity].map((value) => [value, ""] as const),
      ...notJson,
    ],
  };
  for (const [values, list] of Object.entries(refused) as [ValuesName, typeof notJson][]) {
    test(values, async () => {
      const client = on().of(values);
      const key = on().key();
      await client.set(key, "old");
      for (const [value, path] of list) {
        await assert.rejects(client.set(key, value), (error) => {
          assert.ok(error instanceof SerializationError, `${String(value)}: ${error}`);
          assert.equal(error.path, path, String(error));
          return true;
        });
      }
      await assert.rejects(client.set(key, undefined), { code: "ERR_INVALID_ARGUMENT" });
      assert.deepEqual(await on().store(client, "old"), await on().store(client, "old"));
      const old = await client.get(key);
      assert.deepEqual(
        typeof old === "string" ? old : Buffer.from(old as Uint8Array).toString(),
        "old",
      );
    });
  }
});

test("foreign objects are refused with their names, unknown flags and damaged values with the flags", async () => {
  const rows: readonly (readonly [ValuesName, string | Uint8Array, number, RegExp])[] = [
    ["python-memcached", "\x80\x03]q\0.", 1, /pickle/],
    ["python-memcached", deflateSync("\x80\x03]q\0."), 9, /pickle/],
    ["python-memcached", "x", 256, /not known/],
    ["python-memcached", "5x", 2, /not an integer/],
    ["php", "a:0:{}", 4, /serialize\(\)/],
    ["php", "\0\0\0\x02\x14\0", 5, /igbinary/],
    ["php", "\x90", 7, /msgpack/],
    ["php", "x", 8, /not known/],
    ["php", "x", 256, /not known/],
    ["php", "abc", 48, /inflated/],
    ["php", "\x04\0\0\0xxxx", 48, /inflated as zlib/],
    ["php", "\x04\0\0\0xxxx", 16, /not known/],
    ["php", "\x04\0\0\0\x04abcab", 80, /inflated as FastLZ/],
    ["php", "\x06\0\0\0\x04abcab", 80, /inflated as FastLZ/],
    ["php", "\x09\0\0\0\x04abcab\xe0", 80, /inflated as FastLZ/],
    ["php", "\x09\0\0\0\0a\x20\x05", 80, /inflated as FastLZ/],
    ["php", "1.5.5", 2, /not a number/],
    ["php", "{", 6, /not JSON/],
    ["dalli", '\x04\bI"\bfoo\x06:\x06ET', 1, /Ruby object \(Marshal\)/],
    ["dalli", deflateSync("\x04\b0"), 3, /Ruby object \(Marshal\)/],
    ["dalli", "\xff", 4, /not UTF-8/],
    ["dalli", "", 1, /not JSON/],
    ["dalli", "x", 8, /not known/],
    ["spymemcached", "\xac\xed\0\x05t\0\x01a", 1, /Java object/],
    ["spymemcached", "\0\0\0\0\0", 512, /more than 4 bytes/],
    ["spymemcached", "x", 2304, /not known/],
    ["spymemcached", "x", 16, /not known/],
    ["spymemcached", "x", 2, /inflated as gzip/],
    ["memcached", "{", 2, /not JSON/],
    ["memcached", "\xe2\x82\xac", 4, /not bytes/],
    ["memcached", "five", 8, /not a number/],
    ["memcached", "", 8, /not a number/],
    ["memcached", "x", 1, /not known/],
    ["memcache-client", "{", 2, /not JSON/],
    ["memcache-client", "x", 16, /not known/],
    ["memcache-client", "not zstd", 1, /zstd/],
  ];
  for (const [values, stored, flags, words] of rows) {
    const reading = on().read(on().of(values), stored, flags);
    await assert.rejects(reading, (error) => {
      assert.ok(error instanceof CorruptValueError, `${values} ${flags}: ${error}`);
      assert.equal(error.flags, flags);
      assert.match(error.message, words, `${values} ${flags}`);
      assert.match(error.message, new RegExp(`flags ${flags}\\b`));
      return true;
    });
  }
});

test("counters are created as each client creates them, and can be counted further", async () => {
  const flags: Readonly<Record<Exclude<ValuesName, "memwire">, readonly [number, unknown]>> = {
    "python-memcached": [2, 9],
    php: [1, 9],
    dalli: [0, bytes("9")],
    spymemcached: [0, "9"],
    memjs: [0, bytes("9")],
    memcached: [8, 9],
    "memcache-client": [4, 9],
  };
  for (const [values, [expected, value]] of Object.entries(flags)) {
    const client = on().of(values as ValuesName);
    const key = on().key();
    assert.equal(await client.increment(key, 1, { initial: 8 }), 8n);
    assert.equal(await client.increment(key), 9n);
    assert.equal((await client.getItem(key))?.flags, expected, values);
    assert.deepEqual(await client.get(key), value, values);
  }
});

test("fetch, update and the calls for many keys go through the table", async () => {
  for (const values of ["php", "memcached", "memcache-client"] as const) {
    const client = on().of(values);
    const [a, b] = [on().key(), on().key()];
    const value = { list: [1, "é"] };
    assert.deepEqual(await client.fetch(a, () => value, { ttl: 60 }), value);
    assert.deepEqual(await client.fetch(a, refuseToLoad, { ttl: 60 }), value);
    await client.setMany([[b, 1.5]]);
    assert.deepEqual(
      await client.getMany([a, b]),
      new Map<string, unknown>([[a, value], [b, 1.5]]),
    );
    assert.equal(await client.update<number>(b, (n = 0) => n + 1), 2.5);
    // Empty bytes with flags 0 look like a stub of memcached: the text is returned, but not stored.
    const empty = on().key();
    assert.equal(await client.fetch(empty, () => "", { ttl: 60 }), "");
    assert.equal(await client.get(empty), undefined);
  }
});

function refuseToLoad(): never {
  throw new Error("it was there");
}

test("values and serializer cannot be combined, and names are checked", () => {
  const wrong = (options: Record<string, unknown>, words: RegExp): void => {
    assert.throws(() => on().connect(options), (error) => {
      assert.ok(error instanceof TypeError, String(error));
      assert.match(error.message, words);
      return (error as { code?: string }).code === "ERR_INVALID_ARGUMENT";
    });
  };
  const serializer = { serialize: (): never => refuseToLoad(), deserialize: (): null => null };
  wrong({ values: "perl" }, /values must be one of "memwire", "python-memcached", "php"/);
  wrong({ values: null }, /values must be one of/);
  wrong({ values: "php", serializer }, /values cannot be combined with serializer/);
  wrong({ compressAbove: 5, serializer }, /compressAbove cannot be combined with serializer/);
  wrong({ compression: true }, /did you mean "compressAbove"/);
});

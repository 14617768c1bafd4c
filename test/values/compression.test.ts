// compressAbove: only values that are larger and shrink are compressed, before the call returns; reads are bounded.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import * as zlib from "node:zlib";
import {
  CorruptValueError,
  SessionStore,
  UnsupportedError,
  ValueTooLargeError,
} from "../../mod.ts";
import { oneScene, type ValuesName } from "./scene.ts";

const on = oneScene();
const HAS_ZSTD = "zstdDecompressSync" in zlib;
const LONG = "a long text, ".repeat(100);

test("text, bytes and V8 are compressed above the limit, numbers never", async () => {
  const client = on().connect({ compressAbove: 1000 });
  const plain = on().connect({});
  const rows: readonly (readonly [value: unknown, flags: number])[] = [
    ["x".repeat(1000), 16],
    ["x".repeat(1001), 24],
    ["é".repeat(500), 16],
    ["é".repeat(501), 24],
    [new Uint8Array(1000), 0],
    [new Uint8Array(1001), 8],
    [{ text: "x".repeat(900) }, 256],
    [{ text: LONG }, 264],
    ["\ud800" + "x".repeat(2000), 264],
    [10n ** 5000n, 4],
    [5, 2],
  ];
  for (const [value, flags] of rows) {
    const [stored, bytes] = await on().store(client, value);
    assert.equal(stored, flags);
    if ((flags & 8) !== 0) assert.ok(bytes.length < 200, `${bytes.length} bytes`);
    // The reader's own settings make no difference.
    for (const reader of [client, plain]) {
      assert.deepEqual(await on().read(reader, bytes, stored), value);
    }
  }
});

test("a value that does not shrink is stored as it is", async () => {
  const client = on().connect({ compressAbove: 0 });
  const noise = new Uint8Array(Buffer.from(Array.from({ length: 300 }, (_, i) => (i * 7919) >> 3)));
  assert.deepEqual((await on().store(client, "short"))[0], 16);
  assert.deepEqual((await on().store(client, zlib.deflateSync(noise)))[0], 0);
  assert.deepEqual((await on().store(client, ""))[0], 16);
});

test("writes leave in the order of their calls, small or large", async () => {
  const client = on().connect({ compressAbove: 100 });
  const key = on().key();
  for (let i = 0; i < 50; i++) {
    const calls = [client.set(key, LONG), client.set(key, "short"), client.set(key, { LONG, i })];
    await Promise.all(calls);
    assert.deepEqual(await client.get(key), { LONG, i });
  }
});

test("text appended or prepended to a compressed value is never lost silently", async () => {
  const client = on().connect({ compressAbove: 100 });
  for (const extend of [client.append, client.prepend]) {
    const key = on().key();
    await client.set(key, LONG);
    assert.equal(await extend.call(client, key, "!"), true);
    await assert.rejects(client.get(key), { code: "CORRUPT_VALUE", flags: 24 });
  }
});

test("the codec's buffer and the caller's bytes are free when the call has returned", async () => {
  const client = on().connect({ compressAbove: 10 });
  const [a, b] = [on().key(), on().key()];
  const bytes = new Uint8Array(5000).fill(1);
  const calls = [client.set(a, { LONG }), client.set(b, bytes), client.set(on().key(), { b: 2 })];
  bytes.fill(2);
  await Promise.all(calls);
  assert.deepEqual(await client.get(a), { LONG });
  assert.deepEqual(await client.get(b), new Uint8Array(5000).fill(1));
});

test("maxValueBytes bounds the sent bytes, the inflated bytes, and the values that are compressed", async () => {
  const client = on().connect({ compressAbove: 100, maxValueBytes: 5000 });
  const key = on().key();
  await client.set(key, "x".repeat(5000));
  assert.equal(await client.get(key), "x".repeat(5000));
  // It would fit if it were compressed, but could not be read again.
  await assert.rejects(client.set(key, "x".repeat(5001)), ValueTooLargeError);
  const bomb = zlib.deflateSync(Buffer.alloc(5001));
  for (const flags of [8, 24, 264]) {
    await assert.rejects(on().read(client, bomb, flags), (error) => {
      assert.ok(error instanceof CorruptValueError, String(error));
      assert.match(error.message, /5000 bytes of maxValueBytes/);
      return error.flags === flags;
    });
  }
});

test("other clients' tables: compressed as those clients do it, with the same bounds", async () => {
  const rows: readonly (readonly [
    ValuesName,
    value: unknown,
    flags: number,
    expand: (bytes: Buffer) => Uint8Array,
    plain: string,
  ])[] = [
    ["python-memcached", LONG, 24, zlib.inflateSync, LONG],
    ["php", LONG, 48, (bytes) => zlib.inflateSync(bytes.subarray(4)), LONG],
    ["php", { LONG }, 54, (bytes) => zlib.inflateSync(bytes.subarray(4)), JSON.stringify({ LONG })],
    ["dalli", LONG, 6, zlib.inflateSync, LONG],
    ["dalli", [LONG], 3, zlib.inflateSync, JSON.stringify([LONG])],
    ["spymemcached", LONG, 2, zlib.gunzipSync, LONG],
    ["spymemcached", new Uint8Array(2000), 2050, zlib.gunzipSync, "\0".repeat(2000)],
    ["spymemcached", `{${LONG}`, 0, (bytes) => bytes, `{${LONG}`],
    ["spymemcached", "1".repeat(2000), 0, (bytes) => bytes, "1".repeat(2000)],
  ];
  for (const [values, value, flags, expand, plain] of rows) {
    const client = on().of(values, { compressAbove: 100 });
    const [stored, bytes] = await on().store(client, value);
    assert.equal(stored, flags, values);
    assert.equal(Buffer.from(expand(Buffer.from(bytes, "latin1"))).toString("latin1"), plain);
    assert.deepEqual(await on().read(on().of(values), bytes, stored), value, values);
    if (stored === 0) continue;
    const small = on().of(values, { maxValueBytes: plain.length - 1 });
    await assert.rejects(on().read(small, bytes, stored), { code: "CORRUPT_VALUE" }, values);
  }
});

test("memcache-client's zstd: read and written if the runtime has it, otherwise refused by name", async () => {
  const key = on().key();
  if (HAS_ZSTD) {
    const client = on().of("memcache-client", { compressAbove: 100 });
    for (const [value, flags] of [[LONG, 1], [{ LONG }, 3], [new Uint8Array(2000), 9]] as const) {
      assert.equal((await on().store(client, value))[0], flags);
      await client.set(key, value);
      assert.deepEqual(await on().of("memcache-client").get(key), value);
      const small = on().of("memcache-client", { maxValueBytes: 1000 });
      await assert.rejects(small.get(key), { code: "CORRUPT_VALUE" });
    }
    // PHP's own form has the length in front.
    const php = Buffer.concat([Buffer.of(4, 0, 0, 0), zlib.zstdCompressSync("text")]);
    assert.equal(await on().read(on().of("php"), php, 16 | 128), "text");
    return;
  }
  assert.throws(() => on().of("memcache-client", { compressAbove: 100 }), UnsupportedError);
  const reading = on().read(on().of("memcache-client"), "\x28\xb5\x2f\xfd", 1);
  await assert.rejects(reading, { code: "CORRUPT_VALUE", message: /zstd.*runtime lacks/ });
});

test("clients that compress nothing refuse compressAbove, and lengths are checked", () => {
  for (const values of ["memjs", "memcached"] as const) {
    assert.throws(() => on().of(values, { compressAbove: 5 }), {
      code: "ERR_INVALID_ARGUMENT",
      message: /compressAbove.*compresses nothing/,
    });
  }
  for (const compressAbove of [-1, 1.5, NaN, "1", true]) {
    assert.throws(() => on().connect({ compressAbove: compressAbove as number }), {
      code: "ERR_INVALID_ARGUMENT",
    });
  }
});

test("sessions are never compressed, and keep their own format with any table", async () => {
  for (const options of [{ compressAbove: 0 }, { values: "php" }] as const) {
    const store = new SessionStore<{ LONG: string }>({ client: on().connect(options) });
    const session = await store.open();
    session.set("LONG", LONG);
    assert.equal(await store.storeSession(session), "stored");
    const item = await on().raw.getItem(store.mcKey(session.id));
    assert.equal(item?.flags, 256 | 512);
    assert.equal((await store.open(session.id)).get("LONG"), LONG);
  }
});

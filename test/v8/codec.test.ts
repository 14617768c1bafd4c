/** The codec's own buffer, and reading from the middle of another one. */
import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { decode, encode } from "../../src/v8/codec.ts";
import { Encoder } from "../../src/v8/encoder.ts";
import { deserialize, serialize } from "../../src/v8/mod.ts";
import { assertOwnBytes, assertPlain, buffersIn } from "../support/own_bytes.ts";
import { corpus } from "./corpus.ts";
import { difference } from "./same.ts";

/** The size of a new encoder's buffer, in bytes. */
const FIRST_BUFFER = 16_384;

test("encode returns a view that the next encode overwrites, serialize a copy that nothing overwrites", () => {
  const kept = serialize({ a: 1 });
  const view = encode({ a: 1 });
  assert.deepEqual(Uint8Array.from(view), kept);
  const buffer = view.buffer;
  assert.equal(encode({ b: 2 }).buffer, buffer);
  assert.notDeepEqual(Uint8Array.from(view), kept);
  assert.deepEqual(deserialize(kept), { a: 1 });
  assert.equal(Object.getPrototypeOf(kept), Uint8Array.prototype);
});

test("the result of serialize does not change, whatever is serialized afterwards", () => {
  const values = Array.from({ length: 3000 }, (_, i) => ({
    i,
    wide: "ж".repeat(i % 7),
    text: "t".repeat(i % 97 === 0 ? 5000 : i % 31 === 0 ? 900 : i % 50),
    bad: i % 11 ? 0 : () => 0,
  }));
  const kept = values.map((value) => {
    try {
      return serialize(value);
    } catch {
      return undefined;
    }
  });
  for (const [i, bytes] of kept.entries()) {
    if (bytes === undefined) continue;
    assert.deepEqual(deserialize(bytes), values[i]);
    assert.deepEqual(bytes, Uint8Array.from(encode(values[i])));
  }
  for (const bytes of kept) if (bytes !== undefined) assertPlain(bytes);
  assert.equal(assertOwnBytes(kept), kept.filter((bytes) => bytes !== undefined).length);
});

test("bytes and buffers that deserialize returns have memory of their own", () => {
  const values = corpus.map(({ make }) => make()).filter((value) => buffersIn(value).length === 1);
  assert.ok(values.length > 10);
  for (const value of values) {
    const copies = [deserialize(serialize(value)), deserialize(serialize(value))];
    const [one] = buffersIn(copies[0]);
    // A view of a part of a buffer, or of a buffer that can grow, comes with the whole buffer.
    const whole = !ArrayBuffer.isView(one) || one.byteLength === one.buffer.byteLength;
    if (whole && !(one as { resizable?: boolean }).resizable) {
      assert.equal(assertOwnBytes(copies), 2);
    }
  }
  for (const length of [0, 1, 64, 65, 4096, 100_000]) {
    const read = [1, 2].map(() => deserialize(serialize(new Uint8Array(length))));
    read.forEach(assertPlain);
    assert.equal(assertOwnBytes(read), 2);
    const nodes = [1, 2].map(() => deserialize(serialize(Buffer.alloc(length))));
    assert.ok(nodes.every((node) => Buffer.isBuffer(node)));
    assert.equal(assertOwnBytes(nodes), 2);
  }
});

test("a getter may encode and serialize while its object is being encoded", () => {
  let inner: Uint8Array | undefined;
  const value = {
    before: "before".repeat(3000),
    shared: [1, 2, 3],
    get bytes(): Uint8Array {
      encode({ other: "x".repeat(40_000), list: [this.shared, this.shared] });
      inner = serialize({ id: 1, list: [this.shared, this.shared] });
      return inner;
    },
    after: "after",
    get again(): number[] {
      return this.shared;
    },
  };
  const copy = deserialize(serialize(value)) as Record<string, unknown>;
  assert.equal(copy.before, value.before);
  assert.deepEqual(copy.bytes, inner);
  assert.equal(copy.after, "after");
  assert.equal(copy.again, copy.shared);
});

test("a getter may encode while its object is being encoded into the same kind of buffer", () => {
  const value = {
    text: "outer",
    get length(): number {
      return encode({ inner: ["x".repeat(300)] }).length;
    },
    after: [1, 2],
  };
  const bytes = Uint8Array.from(encode(value));
  assert.deepEqual(deserialize(bytes), { text: "outer", length: value.length, after: [1, 2] });
});

test("a getter that throws leaves nothing behind", () => {
  const shared = { s: 1 };
  const bad = {
    shared,
    get fails(): never {
      throw new Error("mine");
    },
  };
  for (let i = 0; i < 3; i++) assert.throws(() => encode(bad), /mine/);
  assert.deepEqual(decode(encode([shared, shared]), 0, encode([shared, shared]).length), [
    shared,
    shared,
  ]);
});

test("a getter that changes what is being encoded yields a value that can be read", () => {
  const object: Record<string, unknown> = {
    a: 1,
    get b(): number {
      delete this.c;
      this.d = 5;
      return 2;
    },
    c: 3,
  };
  const read = deserialize(serialize(object)) as Record<string, unknown>;
  assert.deepEqual([read.a, read.b, read.c], [1, 2, undefined]);
  const array: unknown[] = [1, 2, 3, 4];
  Object.defineProperty(array, 1, {
    enumerable: true,
    get: () => {
      array.length = 2;
      return "cut";
    },
  });
  assert.deepEqual(deserialize(serialize(array)), Object.assign(Array(4), [1, "cut"]));
  const sparse: unknown[] = [];
  Object.defineProperty(sparse, 1, {
    enumerable: true,
    get: () => {
      delete sparse[3];
      return "first";
    },
  });
  sparse[3] = "gone";
  const read2 = deserialize(serialize(sparse)) as unknown[];
  assert.deepEqual([Object.keys(read2), read2.length], [["1"], 4]);
  const map = new Map<unknown, unknown>();
  map.set(1, {
    get grows(): number {
      return map.set({}, 1).size;
    },
  });
  assert.equal((deserialize(serialize(map)) as Map<unknown, unknown>).size, 1);
});

test("the buffer grows with a giant value and does not stay giant", () => {
  const giant = encode("x".repeat(5_000_000));
  assert.equal(giant.length, 2 + 1 + 4 + 5_000_000);
  assert.ok(encode(1).buffer.byteLength <= 262_144);
  assert.deepEqual(decode(giant, 0, giant.length), "x".repeat(5_000_000));
  for (const length of [16_370, 16_380, 16_390, 33_000, 300_000]) {
    for (
      const value of ["ж".repeat(length), "a".repeat(length), "é".repeat(length), [
        Buffer.alloc(length),
        1,
      ], { ["k".repeat(length)]: 1 }]
    ) {
      assert.equal(difference(deserialize(serialize(value)), value), undefined);
    }
  }
});

test("every layout survives a buffer that is full at any byte of it", () => {
  const options = { maxDepth: 1000, arrayProps: true, errorStacks: true, asJson: false };
  const roomy = new Encoder();
  roomy.run("x".repeat(200_000), options);
  for (const { name, make } of corpus) {
    roomy.run(make(), options);
    if (roomy.pos > 80) continue;
    for (let room = 0; room < 100; room++) {
      const value = ["p".repeat(FIRST_BUFFER - 10 - room), make()];
      const full = new Encoder();
      assert.equal(full.buf.length, FIRST_BUFFER);
      full.run(value, options);
      roomy.run(value, options);
      const [a, b] = [full, roomy].map(({ buf, pos }) => buf.subarray(0, pos));
      assert.ok(a?.equals(b as Uint8Array), `${name}, ${room} bytes before the end`);
    }
  }
});

test("decode reads from the middle of a buffer and keeps no part of it", () => {
  const value = {
    bytes: Uint8Array.of(1, 2, 3),
    buffer: Uint8Array.of(4, 5).buffer,
    node: Buffer.from("node"),
    floats: Float64Array.of(1.5),
    text: "a longer text than is copied by hand",
    wide: "日本語",
    big: 2n ** 100n,
  };
  const bytes = serialize(value);
  for (
    const make of [
      (n: number) => Buffer.alloc(n, 0xee),
      (n: number) => new Uint8Array(n).fill(0xee),
    ]
  ) {
    for (const before of [0, 1, 7, 1000]) {
      const receive = make(before + bytes.length + 100);
      receive.set(bytes, before);
      const read = decode(receive, before, before + bytes.length);
      receive.fill(0);
      assert.equal(difference(read, value), undefined, String(before));
    }
  }
});

test("decode stops at its end, though the buffer goes on", () => {
  for (const { name, make } of corpus) {
    const bytes = serialize(make());
    if (bytes.length > 500) continue;
    const receive = Buffer.concat([bytes, bytes]);
    for (let end = 0; end < bytes.length; end++) {
      assert.throws(() => decode(receive, 0, end), { code: "CORRUPT_VALUE", flags: 256 }, name);
    }
    assert.throws(() => decode(receive, 0, bytes.length + 1), { code: "CORRUPT_VALUE" }, name);
  }
});

test("earlier shapes of objects change nothing, however many there were", () => {
  const shape = (i: number): unknown => ({
    [`a${i}`]: { [`b${i % 97}`]: 1, c: [{ [`d${i}`]: i }] },
    z: i,
  });
  for (let i = 0; i < 40_000; i++) {
    const bytes = serialize(shape(i));
    if (i % 100 === 0) assert.deepEqual(deserialize(bytes), shape(i));
    else if (i % 3 === 0) deserialize(bytes);
  }
  for (const { make } of corpus) {
    const bytes = serialize(make());
    assert.deepEqual(serialize(deserialize(bytes)), bytes);
  }
});

/** The format byte by byte: what is written for each tag, and everything that can be read. */
import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { deserialize, serialize } from "../../src/v8/mod.ts";
import { difference } from "./same.ts";
import type { ViewClass } from "./view_classes.ts";

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** Decodes spaced hex after a header of the given version. */
function read(body: string, version = 15): unknown {
  const bytes = Buffer.from(body.replaceAll(" ", ""), "hex");
  return deserialize(Uint8Array.of(0xff, version, ...bytes));
}

function reads(body: string, expected: unknown, version = 15): void {
  assert.equal(difference(read(body, version), expected), undefined, body);
}

const written: readonly (readonly [unknown, string])[] = [
  [undefined, "5f"],
  [null, "30"],
  [true, "54"],
  [false, "46"],
  [0, "4900"],
  [-1, "4901"],
  [1, "4902"],
  [64, "498001"],
  [-0x8000_0000, "49ffffffff0f"],
  [-0, "4e0000000000000080"],
  [NaN, "4e000000000000f87f"],
  [2 ** 31, "4e000000000000e041"],
  [0n, "5a00"],
  [1n, "5a100100000000000000"],
  [-1n, "5a110100000000000000"],
  [1n << 64n, "5a2000000000000000000100000000000000"],
  ["é", "2201e9"],
  ["ж", "63023604"],
  [{ a: "ж" }, "6f220161" + "63023604" + "7b01"],
  [{ ab: "ж" }, "6f22026162" + "0063023604" + "7b01"],
  [{ a: 1, 3: 2 }, "6f" + "49064904" + "2201614902" + "7b02"],
  [{ 2147483648: 1 }, "6f" + "4e000000000000e041" + "4902" + "7b01"],
  [[1, 2], "4102490249042400" + "02"],
  [Object.assign([1], { a: 2 }), "4101" + "4902" + "2201614904" + "2401" + "01"],
  [Object.assign([], { 1: 5 }), "6102" + "4902490a" + "4001" + "02"],
  [new Date(1), "44000000000000f03f"],
  [Object(1), "6e000000000000f03f"],
  [Object(true), "79"],
  [Object(false), "78"],
  [Object(0n), "7a00"],
  [Object("a"), "73220161"],
  [/a/gi, "5222016103"],
  [new Map([[1, 2]]), "3b490249043a02"],
  [new Set([1]), "2749022c01"],
  [new TypeError("a"), "72546d2201612e"],
  [new Error("a", { cause: 1 }), "726d22016163" + "49022e"],
  [Uint8Array.of(7).buffer, "420107"],
  [Uint8Array.of(7), "5c010107"],
  [Buffer.of(7), "5c0a0107"],
  [new DataView(new ArrayBuffer(1)), "5c090100"],
];

test("every tag is written as the format has it, after the header ff 0f", () => {
  for (const [value, body] of written) {
    assert.equal(hex(serialize(value)), "ff0f" + body);
  }
});

test("an object that appears again is written as its id; ids count in the order in which objects begin", () => {
  const shared = {};
  assert.equal(
    hex(serialize([[], shared, shared])),
    "ff0f4103" + "41002400" + "00" + "6f7b00" + "5e02" + "240003",
  );
});

test("versions 13 to 16 are read, others are not", () => {
  for (const version of [13, 14, 15, 16]) reads("4902", 1, version);
  for (const version of [0, 1, 9, 12, 17, 127]) {
    assert.throws(() => read("4902", version), /version/);
  }
});

test("bytes that other writers may write are read too", () => {
  reads("55ffffffff0f", 0xffff_ffff);
  reads("5304f09f9880", "😀");
  reads("5303efbbbf", "\ufeff");
  reads("0000004902", 1);
  reads("3f054902", 1);
  reads("3f053f003f014902", 1);
  reads("6f 5301c3 4902 7b01", { "\ufffd": 1 });
  reads("6f 5502 4902 7b01", { 2: 1 });
  reads("6f 4e000000000000f83f 4902 7b01", { 1.5: 1 });
  reads("6f 4901 4902 7b01", { "-1": 1 });
  reads("6f 00 220161 00 4902 00 7b01", { a: 1 });
  reads("41 03 4902 2d 2d 2400 03", Object.assign([1, , ,], {}));
  reads("5a0201", 1n);
  reads("5a07010200", -513n);
  reads("4e0100000000000000", 5e-324);
  reads("4e 01000000 0000f8ff", NaN);
  reads("63 02 00d8", "\ud800");
});

test("a varint of more than 32 bits is refused, not cut off as native does", () => {
  reads("558080808000", 0);
  for (const body of ["558080808010", "55ffffffff1f", "55808080808001"]) {
    assert.throws(() => read(body), { code: "CORRUPT_VALUE" });
  }
});

test("a duplicate key: the last one wins", () => {
  reads("6f 220161 4902 220161 4904 7b02", { a: 2 });
});

test("the parts of an error are read in any order", () => {
  const [message, stack, cause] = ["6d22016d", "7322017a", "634902"];
  const expected = new RangeError("m", { cause: 1 });
  expected.stack = "z";
  for (
    const parts of [
      [message, stack, cause],
      [message, cause, stack],
      [stack, message, cause],
      [cause, stack, message],
    ]
  ) {
    const error = read(`7252 ${parts.join("")} 2e`);
    assert.equal(difference(error, expected, true), undefined);
  }
  reads("722e", new Error());
});

test("an error without a stored stack gets its own name as the stack, and no line of the codec", () => {
  const error = deserialize(serialize(new RangeError("far"))) as Error;
  assert.equal(error.stack, "RangeError: far");
  assert.equal(Object.getOwnPropertyDescriptor(error, "stack")?.enumerable, false);
  assert.ok(Error.stackTraceLimit > 0);
});

test("plain V8's own views after a buffer are read, and the buffer has the lower id", () => {
  const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const buffer = "42080102030405060708";
  reads(`${buffer} 56 42 02 03 00`, new Uint8Array(bytes.buffer, 2, 3));
  reads(`${buffer} 56 42 02 03`, new Uint8Array(bytes.buffer, 2, 3), 13);
  const letters: Record<string, ViewClass> = {
    b: Int8Array,
    B: Uint8Array,
    C: Uint8ClampedArray,
    w: Int16Array,
    W: Uint16Array,
    d: Int32Array,
    D: Uint32Array,
    f: Float32Array,
    F: Float64Array,
    q: BigInt64Array,
    Q: BigUint64Array,
    "?": DataView,
  };
  for (const [letter, View] of Object.entries(letters)) {
    const code = letter.charCodeAt(0).toString(16);
    reads(`${buffer} 56 ${code} 00 08 00`, new View(bytes.buffer));
  }
  const pair = read(`4103 ${buffer} 56 42 02 03 00 5e01 5e02 2400 03`) as Uint8Array[];
  assert.equal(pair[1], pair[0]?.buffer as unknown);
  assert.equal(pair[2], pair[0]);
  const twice = read(`4102 ${buffer} 56 42 00 01 00 5e01 56 42 01 01 00 2400 02`) as Uint8Array[];
  assert.equal(twice[0]?.buffer, twice[1]?.buffer);
});

test("a view that tracks the length of its buffer still does so", () => {
  const view = read("7e 02 08 0102 56 42 00 00 03") as Uint8Array;
  assert.equal(view.length, 2);
  (view.buffer as unknown as { resize(length: number): void }).resize(5);
  assert.equal(view.length, 5);
});

test("__proto__ becomes an own property, not a prototype", () => {
  const value = deserialize(serialize(JSON.parse('{"__proto__":{"admin":true}}'))) as object;
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
  assert.deepEqual(Object.keys(value), ["__proto__"]);
  assert.equal((value as { admin?: boolean }).admin, undefined);
  const array = read("4100 2209 5f5f70726f746f5f5f 6f7b00 2401 00") as object;
  assert.equal(Object.getPrototypeOf(array), Array.prototype);
});

/** Values that cannot be stored, and what the error says. */
import { strict as assert } from "node:assert";
import { test } from "node:test";
import { SerializationError } from "../../src/errors.ts";
import { deserialize, serialize } from "../../src/v8/mod.ts";
import { difference } from "./same.ts";
import { native } from "./settings.ts";

function refused(value: unknown): SerializationError {
  try {
    serialize(value);
  } catch (error) {
    assert.ok(error instanceof SerializationError, String(error));
    assert.equal(error.code, "SERIALIZATION");
    return error;
  }
  throw new assert.AssertionError({ message: "it was stored" });
}

function argumentsOf(..._: number[]): IArguments {
  return arguments;
}

function detached(): ArrayBuffer {
  const buffer = new ArrayBuffer(8);
  structuredClone(buffer, { transfer: [buffer] });
  return buffer;
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

const viewOfDetached = (): DataView => {
  const buffer = new ArrayBuffer(8);
  const view = new DataView(buffer);
  structuredClone(buffer, { transfer: [buffer] });
  return view;
};

const unstorable: Readonly<Record<string, readonly (() => unknown)[]>> = {
  "a function": [() => () => 1, () => class {}, () => async () => {}, () => new Proxy(() => 1, {})],
  "a symbol": [() => Symbol("s"), () => Object(Symbol("s"))],
  "a Promise": [
    () => Promise.resolve(1),
    () => new (class Later extends Promise<void> {})(() => {}),
  ],
  "a WeakMap": [() => new WeakMap()],
  "a WeakSet": [() => new WeakSet()],
  "a WeakRef": [() => new WeakRef({})],
  "a FinalizationRegistry": [() => new FinalizationRegistry(() => {})],
  "a generator": [
    () =>
      (function* (): Generator<number> {
        yield 1;
      })(),
    () =>
      (async function* (): AsyncGenerator<number> {
        yield 1;
      })(),
  ],
  "an arguments object": [() => argumentsOf(), () => argumentsOf(1, 2)],
  "an Intl, WebAssembly, Temporal or iterator object": [
    () => [].values(),
    () => new Map().entries(),
    () => new Set().values(),
    () => ""[Symbol.iterator](),
    () => "a".matchAll(/a/g),
    () => new Intl.NumberFormat(),
    () => new Intl.Segmenter().segment("a")[Symbol.iterator](),
  ],
  "a Proxy or an imitation of a built-in object": [
    () => new Proxy(new Map(), {}),
    () => new Proxy(new Date(), {}),
    () => new Proxy(/a/, {}),
    () => new Proxy(new Uint8Array(1), {}),
  ],
  "a revoked Proxy": [revoked],
  "a SharedArrayBuffer": [() => new SharedArrayBuffer(1)],
  "a detached ArrayBuffer": [detached],
  "a view of a detached or shrunken buffer": [viewOfDetached],
};

for (const [what, makes] of Object.entries(unstorable)) {
  test(`${what} is refused, by native too`, () => {
    for (const make of makes) {
      const error = refused(make());
      assert.equal(error.message, `cannot store ${what}`);
      assert.equal(error.path, "");
      const deep = refused({ list: [{ it: make() }] });
      assert.equal(deep.message, `cannot store ${what} at list[0].it`);
      assert.equal(deep.path, "list[0].it");
      assert.throws(() => native?.serialize(make()) ?? assert.fail("Bun has no native codec"));
    }
  });
}

test("the path names properties, indexes and members by position", () => {
  const f = (): void => {};
  const cases: readonly (readonly [unknown, string])[] = [
    [{ user: { cb: f } }, "user.cb"],
    [[1, [2, f]], "[1][1]"],
    [{ a: [{ b: { c: f } }] }, "a[0].b.c"],
    [new Map<unknown, unknown>([["secret", 1], ["hidden", { f }]]), "[1].f"],
    [{ m: new Map([[f, 1]]) }, "m[0]"],
    [{ s: new Set([1, 2, f]) }, "s[2]"],
    [{ 17: f }, "[17]"],
    [{ "a b": { "": f } }, '["a b"][""]'],
    [{ größe: { $x_1: f } }, "größe.$x_1"],
    [Object.assign([1], { extra: f }), "extra"],
    [Object.assign([1, 2], { length: 9, 5: f }), "[5]"],
    [{ e: new Error("secret", { cause: { f } }) }, "e.cause.f"],
    [{ ["k".repeat(500)]: f }, "k".repeat(64) + "..."],
    [{ a: { deep: { x: 1 } }, b: [1, 2], c: f }, "c"],
  ];
  for (const [value, path] of cases) {
    const error = refused(value);
    assert.equal(error.path, path);
    assert.equal(error.message, `cannot store a function at ${path}`);
  }
});

test("an error's message holds no value", () => {
  const secret = "hunter2";
  const value = new Map([[secret, { password: secret, list: [secret, Symbol(secret)] }]]);
  assert.doesNotMatch(refused(value).message, /hunter2/);
});

test("a getter's own error passes through, and the next value is written as ever", () => {
  const own = new TypeError("mine");
  const value = {
    a: { b: 1 },
    get c(): never {
      throw own;
    },
  };
  assert.throws(() => serialize(value), (error) => error === own);
  assert.throws(() => serialize([{ x: [() => 1] }]), SerializationError);
  assert.deepEqual(deserialize(serialize({ a: { b: 1 } })), { a: { b: 1 } });
});

test("a value nested deeper than maxDepth is refused on both sides, one at maxDepth is not", () => {
  const nest = (levels: number): unknown => levels === 0 ? 1 : [nest(levels - 1)];
  const path = "[0]".repeat(1000);
  assert.equal(
    refused(nest(1001)).message,
    `cannot store a value nested deeper than 1000 objects at ${path}`,
  );
  const bytes = serialize(nest(1000));
  assert.deepEqual(deserialize(bytes), nest(1000));
  assert.throws(() => deserialize(bytes, { maxDepth: 999 }), { code: "CORRUPT_VALUE" });
  assert.throws(() => serialize([[1]], { maxDepth: 1 }), { code: "SERIALIZATION" });
  assert.deepEqual(deserialize(serialize([1], { maxDepth: 1 }), { maxDepth: 1 }), [1]);
  for (
    const open of [[], {}, new Map(), new Set(), new Date(), new Error("x"), new Uint8Array(1)]
  ) {
    assert.throws(() => serialize([open], { maxDepth: 1 }), { code: "SERIALIZATION" });
    assert.throws(() => deserialize(serialize([open]), { maxDepth: 1 }), { code: "CORRUPT_VALUE" });
  }
});

test("maxDepth beyond the stack is a typed error, not a crash", () => {
  let value: unknown = 1;
  for (let i = 0; i < 99_000; i++) value = { value };
  assert.throws(() => serialize(value, { maxDepth: 100_000 }), { code: "SERIALIZATION" });
  const bytes = new Uint8Array(2 + 99_000 * 4 + 2);
  bytes.set([0xff, 0x0f]);
  for (let i = 0; i < 99_000; i++) bytes.set([0x6f, 0x22, 0x01, 0x61], 2 + 4 * i);
  assert.throws(() => deserialize(bytes, { maxDepth: 100_000 }), { code: "CORRUPT_VALUE" });
  for (const maxDepth of [0, -1, 1.5, NaN, Infinity, 100_001, "5" as unknown as number]) {
    assert.throws(() => serialize(1, { maxDepth }), {
      name: typeof maxDepth === "number" ? "RangeError" : "TypeError",
      code: "ERR_INVALID_ARGUMENT",
    });
    assert.throws(() => deserialize(serialize(1), { maxDepth }), { code: "ERR_INVALID_ARGUMENT" });
  }
});

test("an argument that is not bytes is a TypeError; any view is read by its bytes", () => {
  for (const bytes of [undefined, null, "text", 5, [255, 15, 48], new ArrayBuffer(3)]) {
    const wrong = bytes as unknown as Uint8Array;
    assert.throws(() => deserialize(wrong), { name: "TypeError", code: "ERR_INVALID_ARGUMENT" });
  }
  const bytes = serialize("abc");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  assert.equal(deserialize(view as unknown as Uint8Array), "abc");
});

test("arrayProps: false drops the named properties of arrays and keeps their holes", () => {
  const options = { arrayProps: false };
  const named = Object.assign([1, { a: 1 }], { index: 1 });
  assert.deepEqual(deserialize(serialize(named, options)), [1, { a: 1 }]);
  const holed = Object.assign([1, , 3], { foo: 1 });
  assert.deepEqual(deserialize(serialize(holed, options)), [1, , 3]);
  const sparse: unknown[] = [];
  sparse[4_000_000_000] = "far";
  assert.equal(difference(deserialize(serialize(sparse, options)), sparse), undefined);
});

test("whatever is written can be read, because both sides have the same limits", () => {
  type Resizable = new (length: number, options: { maxByteLength: number }) => ArrayBuffer;
  const growing = (max: number): ArrayBuffer =>
    new (ArrayBuffer as Resizable)(1, { maxByteLength: max });
  const most = 16 * 1024 * 1024;
  assert.ok(deserialize(serialize(growing(most))) instanceof ArrayBuffer);
  refused(growing(most + 1));
  refused([growing(most / 2), growing(most / 2), growing(1)]);
  assert.equal(
    (deserialize(serialize(Array.from({ length: 1024 }, () => growing(9)))) as []).length,
    1024,
  );
  refused(Array.from({ length: 1025 }, () => growing(9)));
  assert.ok(deserialize(serialize(new RegExp("a".repeat(2048)))) instanceof RegExp);
  refused([/a/, new RegExp("a".repeat(2048))]);
  assert.ok(deserialize(serialize(new RegExp("\\p{L}".repeat(10), "u"))) instanceof RegExp);
  refused(new RegExp("\\p{L}".repeat(10) + "\\P{L}", "u"));
  const many = Array.from({ length: 50_000 }, () => new Set());
  refused(many);
  assert.equal((deserialize(serialize([...many, "padding".repeat(20_000)])) as []).length, 50_001);
});

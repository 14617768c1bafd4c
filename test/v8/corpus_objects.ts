import type { Entry } from "./corpus.ts";

/** Makes an array of this length with holes where `elements` has no entry. */
function holed(length: number, elements: Record<string, unknown>): unknown[] {
  const array: unknown[] = [];
  array.length = length;
  return Object.assign(array, elements);
}

function cycle(): object {
  const object: Record<string, unknown> = { name: "cycle" };
  object.self = object;
  return object;
}

function ring(): object {
  const first: Record<string, unknown> = { n: 1 };
  const second: Record<string, unknown> = { n: 2, next: first };
  first.next = { n: 3, next: second };
  return first;
}

function shared(count: number): object[] {
  const one = { shared: true };
  return Array.from({ length: count }, (_, i) => i % 2 ? { i, one } : one);
}

function nested(levels: number): object {
  let value: object = { leaf: true };
  for (let i = 0; i < levels; i++) value = i % 2 ? { value } : [value];
  return value;
}

class Point {
  x = 1;
  y = 2;
  #hidden = 3;
  get sum(): number {
    return this.x + this.y + this.#hidden;
  }
}

/** Native chooses the layout by the engine's elements kind, our codec by whether the array has holes. */
const oddity = "native takes it for an array with holes, in some engine or version";

export const objects: readonly Entry[] = [
  { name: "object: empty", make: () => ({}) },
  { name: "object: one key", make: () => ({ a: 1 }) },
  { name: "object: undefined in it", make: () => ({ a: undefined, b: 1 }) },
  { name: "object: an empty key", make: () => ({ "": 1 }) },
  {
    name: "object: indexes come first, ascending",
    make: () => ({ b: 1, 7: 2, a: 3, 0: 4, 100: 5 }),
  },
  { name: "object: the largest int32 as key", make: () => ({ 2147483647: 1 }) },
  { name: "object: 2^31 as key", make: () => ({ 2147483648: 1 }) },
  { name: "object: the largest index as key", make: () => ({ 4294967294: 1 }) },
  { name: "object: 2^32 - 1 as key, no index", make: () => ({ 4294967295: 1 }) },
  {
    name: "object: keys that only look like indexes",
    make: () => ({ "01": 1, "-1": 2, "1.5": 3, "1e3": 4, " 1": 5, "+1": 6, "12345678901": 7 }),
  },
  { name: "object: a Latin-1 key", make: () => ({ "größe": 1 }) },
  { name: "object: a two-byte key", make: () => ({ "名前": "x", "年": 3 }) },
  { name: "object: a key of 38 characters", make: () => ({ ["k".repeat(38)]: 1, z: 2 }) },
  { name: "object: a key of 39 characters", make: () => ({ ["k".repeat(39)]: 1, z: 2 }) },
  { name: "object: a key of 200 characters", make: () => ({ ["k".repeat(200)]: 1, z: 2 }) },
  { name: "object: __proto__ as own key", make: () => JSON.parse('{"__proto__":{"x":1},"a":2}') },
  { name: "object: names of methods", make: () => ({ constructor: 1, toString: 2, valueOf: 3 }) },
  {
    name: "object: 300 keys",
    make: () => Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`key${i}`, i])),
  },
  {
    name: "object: 300 indexes",
    make: () => Object.fromEntries(Array.from({ length: 300 }, (_, i) => [i * 7, i])),
  },
  {
    name: "object: no prototype",
    make: () => Object.assign(Object.create(null), { a: 1 }),
    reads: () => ({ a: 1 }),
  },
  {
    name: "object: of a class",
    make: () => new Point(),
    reads: () => ({ x: 1, y: 2 }),
  },
  {
    name: "object: getters, hidden and symbol keys",
    make: () => {
      const object = {
        get a(): number[] {
          return [1];
        },
        [Symbol("s")]: 1,
      };
      return Object.defineProperty(object, "hidden", { value: 1 });
    },
    reads: () => ({ a: [1] }),
  },
  {
    name: "object: enumerable keys on its prototype",
    make: () => Object.assign(Object.create({ inherited: 1 }), { own: 2 }),
    reads: () => ({ own: 2 }),
  },
  {
    name: "object: a toStringTag of its own",
    make: () => ({ [Symbol.toStringTag]: "Map", a: 1 }),
    reads: () => ({ a: 1 }),
  },
  { name: "object: in itself", make: cycle },
  { name: "object: a ring of three", make: ring },
  { name: "object: 47 levels", make: () => nested(47) },
  { name: "object: 200 levels", make: () => nested(200) },
  {
    name: "object: the same shape twice, then another",
    make: () => [{ a: 1, b: 2 }, { a: 3, b: 4 }, { a: 5, c: 6 }, { b: 7 }, { a: 8, b: 9, c: 1 }],
  },
  {
    name: "object: many shapes",
    make: () =>
      Array.from({ length: 40 }, (_, i) => ({ [`k${i % 13}`]: i, [`m${i % 11}`]: { i } })),
  },
  {
    name: "object: two-byte strings at odd and even places",
    make: () => ({ a: "ж", bb: "ж", ccc: "ж", d: ["ж", 1, "ж", 300, "ж"], "ж": "ж", "жж": "x" }),
  },
  { name: "array: empty", make: () => [] },
  { name: "array: of one", make: () => [1] },
  { name: "array: mixed", make: () => [1, "a", null, undefined, true, { a: [] }, 1.5, 2n] },
  { name: "array: of undefined", make: () => [undefined, undefined], bytesDiffer: oddity },
  { name: "array: 200 integers", make: () => Array.from({ length: 200 }, (_, i) => i - 100) },
  { name: "array: 200 doubles", make: () => Array.from({ length: 200 }, (_, i) => i + 0.5) },
  { name: "array: 200 strings", make: () => Array.from({ length: 200 }, (_, i) => `s${i}`) },
  { name: "array: in arrays", make: () => [[[[]]], [[], [[1]]]] },
  { name: "array: a hole first", make: () => holed(2, { 1: "x" }) },
  { name: "array: a hole between", make: () => holed(3, { 0: 1, 2: 3 }) },
  { name: "array: a hole last", make: () => holed(3, { 0: 1, 1: 2 }) },
  { name: "array: holes only", make: () => holed(5, {}) },
  { name: "array: 1025 holes", make: () => holed(1025, {}) },
  { name: "array: one element in 100,000", make: () => holed(100_000, { 50_000: "x" }) },
  { name: "array: the greatest length", make: () => holed(4294967295, { 4294967294: 1, 2: 3 }) },
  { name: "array: named properties", make: () => Object.assign([1, 2], { index: 3, input: "x" }) },
  { name: "array: named properties only", make: () => Object.assign([], { a: { b: 1 } }) },
  { name: "array: named properties and holes", make: () => holed(4, { 1: 1, foo: "bar" }) },
  {
    name: "array: a match",
    make: () => /b(c)/.exec("abcd"),
    reads: () => Object.assign(["bc", "c"], { index: 1, input: "abcd", groups: undefined }),
    bytesDiffer: oddity,
  },
  {
    name: "array: a name that looks like an index",
    make: () => Object.assign([1], { "4294967295": 1, "-1": 2 }),
  },
  {
    name: "array: hidden elements",
    make: () => Object.defineProperty([1, 2, 3], 1, { enumerable: false }),
    reads: () => holed(3, { 0: 1, 2: 3 }),
  },
  {
    name: "array: getters as elements",
    make: () => Object.defineProperty([1, 2], 0, { enumerable: true, get: () => "got" }),
    reads: () => ["got", 2],
    bytesDiffer: oddity,
  },
  {
    name: "array: filled, once with holes",
    make: () => new Array(3).fill(7),
    bytesDiffer: oddity,
  },
  {
    name: "array: of a class",
    make: () => new (class Stack extends Array<number> {})(1, 2, 3),
    reads: () => [1, 2, 3],
  },
  {
    name: "array: in itself",
    make: () => {
      const array: unknown[] = [1];
      array.push(array);
      return array;
    },
  },
  { name: "array: 47 objects", make: () => Array.from({ length: 47 }, (_, i) => ({ i })) },
  { name: "array: the same object again and again", make: () => shared(6) },
  { name: "array: 120 objects, half of them one", make: () => shared(120) },
  {
    name: "array: 200 objects, then each again",
    make: () => {
      const list = Array.from({ length: 200 }, (_, i) => ({ i }));
      return [...list, ...list];
    },
  },
];

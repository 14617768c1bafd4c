import type { Entry } from "./corpus.ts";

/** An error whose stack is the same in every runtime, so that its bytes are too. */
function told<T extends Error>(error: T): T {
  error.stack = "Error: told\n    at somewhere";
  return error;
}

/** An error for the corpus. Its bytes depend on whether the stack is written. */
function error(name: string, make: () => Error, more: Partial<Entry> = {}): Entry {
  return {
    name: `error: ${name}`,
    make: () => told(make()),
    bytesDiffer: "ours has no stack unless asked for",
    ...more,
  };
}

function selfCaused(): Error {
  const cause = new Error("circle");
  return Object.defineProperty(cause, "cause", {
    value: { cause },
    writable: true,
    configurable: true,
  });
}

const dates = [0, -0, 1, -1, 1.5, 1_700_000_000_123, 8.64e15, -8.64e15, NaN];
const flags = ["", "g", "i", "m", "y", "u", "s", "d", "v", "gimsuyd", "gimsvyd"];
const sources = ["a", "", "/", "\\/", "\n", "[\\d]+(?<x>y)", "é", "日本", "^$", "\\u{1F600}"];

export const builtins: readonly Entry[] = [
  ...dates.map((time): Entry => ({
    name: `date: ${Object.is(time, -0) ? "-0" : time}`,
    make: () => new Date(time),
  })),
  {
    name: "date: twice the same",
    make: () => Array(2).fill(new Date(5)),
    bytesDiffer: "Node 20 takes it for an array with holes",
  },
  { name: "boxed: 1.5", make: () => Object(1.5) },
  { name: "boxed: -0", make: () => Object(-0) },
  { name: "boxed: NaN", make: () => Object(NaN) },
  { name: "boxed: true", make: () => Object(true) },
  { name: "boxed: false", make: () => Object(false) },
  { name: "boxed: 0n", make: () => Object(0n) },
  { name: "boxed: minus 2^70", make: () => Object(-(2n ** 70n)) },
  { name: "boxed: empty string", make: () => Object("") },
  { name: "boxed: Latin-1 string", make: () => Object("é".repeat(50)) },
  { name: "boxed: two-byte string", make: () => [Object("日本"), Object("日本語")] },
  ...flags.map((flag): Entry => ({
    name: `regexp: flags ${flag || "none"}`,
    make: () => new RegExp("a.b", flag),
  })),
  ...sources.map((source): Entry => ({
    name: `regexp: source ${JSON.stringify(source)}`,
    make: () => new RegExp(source, "u"),
  })),
  {
    name: "regexp: lastIndex is lost",
    make: () => Object.assign(/x/g, { lastIndex: 3 }),
    reads: () => /x/g,
  },
  { name: "map: empty", make: () => new Map() },
  { name: "map: strings", make: () => new Map([["a", 1], ["b", 2]]) },
  {
    name: "map: keys of every kind",
    bytesDiffer: "native writes a double for the key 0",
    make: () =>
      new Map<unknown, unknown>([
        [0, 1],
        [NaN, 2],
        ["", 3],
        [null, 4],
        [undefined, 5],
        [1n, 6],
        [true, 7],
        [{ key: 1 }, { value: 2 }],
        [[1], [2]],
        [new Date(1), new Map()],
      ]),
  },
  {
    name: "map: in itself as key and value",
    make: () => {
      const map = new Map<unknown, unknown>();
      return map.set(map, map).set("again", map);
    },
  },
  {
    name: "map: own properties are lost",
    make: () => Object.assign(new Map([[1, 2]]), { own: 1 }),
    reads: () => new Map([[1, 2]]),
  },
  {
    name: "map: of a class with another toStringTag",
    make: () => {
      class Registry extends Map<string, number> {
        override get [Symbol.toStringTag](): string {
          return "Registry";
        }
      }
      return new Registry([["a", 1]]);
    },
    reads: () => new Map([["a", 1]]),
  },
  {
    name: "map: 100 objects of a shape",
    make: () => new Map(Array.from({ length: 100 }, (_, i) => [i, { i }])),
  },
  { name: "set: empty", make: () => new Set() },
  {
    name: "set: mixed",
    make: () => new Set<unknown>([1, "a", null, undefined, NaN, { a: 1 }, [1]]),
  },
  {
    name: "set: in itself",
    make: () => {
      const set = new Set<unknown>();
      return set.add(set).add("x");
    },
  },
  {
    name: "set: own properties are lost",
    make: () => Object.assign(new Set([1]), { own: 1 }),
    reads: () => new Set([1]),
  },
  error("plain", () => new Error("boom")),
  error("no message", () => new Error()),
  error("a two-byte message", () => new Error("ошибка")),
  error("a long message", () => new Error("x".repeat(100))),
  error("EvalError", () => new EvalError("e")),
  error("RangeError", () => new RangeError("r")),
  error("ReferenceError", () => new ReferenceError("f")),
  error("SyntaxError", () => new SyntaxError("s")),
  error("TypeError", () => new TypeError("t")),
  error("URIError", () => new URIError("u")),
  error("with a cause", () => new Error("outer", { cause: "inner" })),
  error("with a cause and no message", () => new TypeError(undefined, { cause: -0.5 })),
  error("caused by undefined", () => new Error("outer", { cause: undefined })),
  error(
    "caused by an error",
    () => new Error("a", { cause: told(new TypeError("b", { cause: { n: 1 } })) }),
  ),
  error("that causes itself", selfCaused, {
    notInNode20: "its reader gives the error its id when it has read the cause",
  }),
  error("other properties are lost", () => Object.assign(new Error("x"), { code: "E" }), {
    reads: () => told(new Error("x")),
  }),
  error("an empty message of its own", () => new Error("")),
  error("of a class", () => new (class Custom extends TypeError {})("c"), {
    reads: () => told(new TypeError("c")),
  }),
  error("of a class with a name", () => Object.assign(new Error("c"), { name: "Custom" }), {
    reads: () => told(new Error("c")),
  }),
  error("named after another class", () => Object.assign(new Error("c"), { name: "RangeError" }), {
    reads: () => told(new RangeError("c")),
  }),
  error("AggregateError", () => new AggregateError([1], "many"), {
    reads: () => told(new Error("many")),
  }),
  error("a message that is no string", () => Object.assign(new Error("x"), { message: 5 }), {
    reads: () => told(new Error("5")),
  }),
  {
    name: "error: a message behind a getter is lost",
    make: () => Object.defineProperty(told(new Error("x")), "message", { get: () => "got" }),
    reads: () => told(new Error()),
    bytesDiffer: "ours has no stack unless asked for",
  },
  {
    name: "session: a typical one",
    make: () => ({
      user: { id: 4711, name: "Jürgen", roles: ["admin", "editor"], since: new Date(1.6e12) },
      cart: [{ sku: "A-1", n: 2, price: 9.99 }, { sku: "B-22", n: 1, price: 129.5 }],
      csrf: "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
      flash: null,
      visits: 17,
      seen: new Set([3, 1, 2]),
      prefs: new Map([["theme", "dark"], ["lang", "de"]]),
    }),
  },
  {
    name: "session: as a Session stores it",
    make: () => [{ user: 7, cart: [] }, 1_700_000_000_000, undefined],
  },
];

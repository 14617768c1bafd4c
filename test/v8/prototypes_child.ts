/** Decodes while Object.prototype and Array.prototype have extra properties, and prints what went wrong. */
import { Buffer } from "node:buffer";
import { decode, encode } from "../../src/v8/codec.ts";
import { deserialize, serialize } from "../../src/v8/mod.ts";
import { difference } from "./same.ts";

const NAMES = [
  "constructor",
  "toString",
  "valueOf",
  "hasOwnProperty",
  "__proto__",
  "__defineSetter__",
];
const NEW_NAMES = [
  "id",
  "user",
  "a name that is longer than others",
  "日本語",
  "0",
  "7",
  "-1",
  "map",
];

/** Values with each of the names, known and unknown to the decoder, in objects and in arrays. */
function valuesOf(names: readonly string[]): unknown[] {
  const objectOf = (name: string): object =>
    Object.defineProperty({ first: 1 }, name, {
      value: { inner: name },
      writable: true,
      enumerable: true,
      configurable: true,
    });
  const named = Object.assign([1, 2], { extra: 3 });
  const sparse = [0, , 2];
  sparse[40] = 40;
  return [...names.map(objectOf), [1, [2, [3]], { id: [] }], named, sparse, new Array(100).fill(5)];
}

const values = valuesOf([...NAMES, ...NEW_NAMES]);
const bytes = values.map((value) => serialize(value));
const wrong: string[] = [];
let runs = 0;

/** Decodes everything, then calls `restore` before it compares, because comparing would run setters too. */
function check(what: string, restore: () => void): void {
  const results: { outcome?: unknown; error?: unknown }[] = new Array(2 * bytes.length);
  for (let i = 0; i < results.length; i++) Object.defineProperty(results, i, { value: {} });
  for (let i = 0; i < bytes.length; i++) {
    const each = bytes[i] as Uint8Array;
    for (let way = 0; way < 2; way++) {
      const result = results[2 * i + way] as { outcome?: unknown; error?: unknown };
      try {
        result.outcome = way === 0 ? deserialize(each) : decode(Buffer.from(each), 0, each.length);
      } catch (error) {
        result.error = error;
      }
    }
  }
  const ran = runs;
  restore();
  runs = 0;
  if (ran > 0) wrong.push(`${what}: setters ran ${ran} times`);
  results.forEach(({ outcome, error }, i) => {
    const found = error ?? difference(outcome, values[i >> 1]);
    if (found !== undefined) wrong.push(`${what}: value ${i >> 1}: ${found}`);
  });
}

/** Ends the microtask. In the client no other code runs before that. */
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

check("untouched", () => undefined);
for (const prototype of [Object.prototype, Array.prototype]) {
  for (const name of [...NEW_NAMES, "0", "1", "40", "99"]) {
    for (const enumerable of [false, true]) {
      await turn();
      const before = Object.getOwnPropertyDescriptor(prototype, name);
      Object.defineProperty(prototype, name, {
        set: () => void runs++,
        get: () => undefined,
        configurable: true,
        enumerable,
      });
      const where = prototype === Array.prototype ? "Array" : "Object";
      check(`a setter ${name} on ${where}.prototype`, () => {
        delete (prototype as unknown as Record<string, unknown>)[name];
        if (before !== undefined) Object.defineProperty(prototype, name, before);
        if (prototype === Array.prototype) Array.prototype.length = 0;
      });
    }
  }
}
// In the same microtask as the decoding before: whoever changes a prototype may call deserialize at once.
deserialize(serialize({ late: 1 }));
Object.defineProperty(Object.prototype, "late", { set: () => void runs++, configurable: true });
const late = deserialize(serialize({ late: 1 })) as object;
if (runs > 0 || !Object.hasOwn(late, "late")) wrong.push("late: the setter ran");
delete (Object.prototype as Record<string, unknown>)["late"];
runs = 0;

await turn();
Object.freeze(Object.prototype);
Object.freeze(Array.prototype);
check("frozen", () => undefined);
if (encode({ constructor: 1 }).length === 0) wrong.push("frozen: nothing is encoded");
console.log(JSON.stringify(wrong));

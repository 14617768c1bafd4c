/**
 * Finds out what an object really is, whatever its prototype or `Symbol.toStringTag` claim. Built-in objects
 * have an internal slot, and a method that needs the slot throws for every other object.
 */

/** The objects that have their own tag in the format. `plain` stands for all others that can be stored. */
export type Kind =
  | "plain"
  | "Map"
  | "Set"
  | "Date"
  | "RegExp"
  | "Error"
  | "ArrayBuffer"
  | "Number"
  | "Boolean"
  | "BigInt"
  | "String";

/** A class for `instanceof`. It is not a constructor type, because `new BigInt` is not allowed. */
type Family = { readonly prototype: object } & { [Symbol.hasInstance](value: unknown): boolean };

function getter(prototype: object, name: string): (this: unknown) => unknown {
  return Object.getOwnPropertyDescriptor(prototype, name)?.get as (this: unknown) => unknown;
}

const mapSize = getter(Map.prototype, "size");
const setSize = getter(Set.prototype, "size");
const regexpSource = getter(RegExp.prototype, "source");
const bufferLength = getter(ArrayBuffer.prototype, "byteLength");

const BRANDS: readonly (readonly [Kind, Family, (value: object) => unknown])[] = [
  ["Map", Map, (value) => mapSize.call(value)],
  ["Set", Set, (value) => setSize.call(value)],
  ["Date", Date, (value) => Date.prototype.getTime.call(value)],
  ["RegExp", RegExp, (value) => regexpSource.call(value)],
  ["ArrayBuffer", ArrayBuffer, (value) => bufferLength.call(value)],
  ["Number", Number, (value) => Number.prototype.valueOf.call(value)],
  ["Boolean", Boolean, (value) => Boolean.prototype.valueOf.call(value)],
  ["BigInt", BigInt, (value) => BigInt.prototype.valueOf.call(value)],
  ["String", String, (value) => String.prototype.valueOf.call(value)],
];

/** Kinds by prototype, because most objects have the prototype of their class. */
const BY_PROTOTYPE: ReadonlyMap<object, readonly [Kind, (value: object) => unknown]> = new Map(
  BRANDS.map(([kind, family, probe]) => [family.prototype, [kind, probe]]),
);

/**
 * Classes whose real objects were recognized before. Any other `instanceof` one of them is a Proxy, or
 * inherits from the prototype without the slot.
 */
const IMITATED: readonly Family[] = [
  ...BRANDS.map(([, family]) => family),
  Object.getPrototypeOf(Uint8Array) as Family,
  DataView,
];

const REFUSED: Readonly<Record<string, string>> = {
  Promise: "a Promise",
  WeakMap: "a WeakMap",
  WeakSet: "a WeakSet",
  WeakRef: "a WeakRef",
  FinalizationRegistry: "a FinalizationRegistry",
  Symbol: "a symbol",
  SharedArrayBuffer: "a SharedArrayBuffer",
  Generator: "a generator",
  AsyncGenerator: "a generator",
  Arguments: "an arguments object",
  Module: "a module",
  DisposableStack: "a DisposableStack",
  AsyncDisposableStack: "an AsyncDisposableStack",
  CryptoKey: "a CryptoKey",
};

/** Built-in families that are refused as a whole, because the format has none of them. */
const REFUSED_FAMILY = /^(?:Intl|WebAssembly|Temporal)\.| Iterator$|^Iterator Helper$/;

/** Returns the kind of an object that is neither an array nor a view; `undefined` if it cannot be stored. */
export function kindOf(object: object): Kind | undefined {
  const likely = BY_PROTOTYPE.get(Object.getPrototypeOf(object));
  if (likely !== undefined && passes(likely[1], object)) return likely[0];
  const tag = tagOf(object);
  if (!(Symbol.toStringTag in object)) {
    if (tag === "Object") return imitates(object) ? undefined : "plain";
    if (tag === "Error") return "Error";
  }
  for (const [kind, family, probe] of BRANDS) {
    if ((tag === kind || object instanceof family) && passes(probe, object)) return kind;
  }
  if (object instanceof Error) return "Error";
  return refusal(object) === undefined ? "plain" : undefined;
}

/** Says what an object is that cannot be stored, "a Promise" for example; `undefined` if it can be stored. */
export function refusal(object: object): string | undefined {
  const tag = tagOf(object);
  if (Object.hasOwn(REFUSED, tag)) return REFUSED[tag];
  if (REFUSED_FAMILY.test(tag)) return "an Intl, WebAssembly, Temporal or iterator object";
  if (object instanceof Promise) return "a Promise";
  return imitates(object) ? "a Proxy or an imitation of a built-in object" : undefined;
}

function imitates(object: object): boolean {
  return IMITATED.some((family) => object instanceof family);
}

function tagOf(object: object): string {
  return Object.prototype.toString.call(object).slice(8, -1);
}

function passes(probe: (value: object) => unknown, object: object): boolean {
  try {
    probe(object);
    return true;
  } catch {
    return false;
  }
}

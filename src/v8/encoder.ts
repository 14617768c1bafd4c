/**
 * Turns values into bytes, in version 15 of V8's format. Primitives, plain objects and arrays are encoded
 * here, all other objects in `encode_builtins.ts`.
 */
import { hasToJson, writeBuiltin } from "./encode_builtins.ts";
import { arrayIndex, type KnownKey, KnownKeys, type Place } from "./known_keys.ts";
import { Budget } from "./limits.ts";
import { ObjectIds } from "./object_ids.ts";
import type { EncoderOptions } from "./options.ts";
import { type Step, unstorable } from "./path.ts";
import { Writer } from "./writer.ts";

const { hasOwnProperty } = Object.prototype;
const knownKeys = new KnownKeys();

/** Writes one value at a time. `codec.ts` keeps an encoder and lends it out. */
export class Encoder extends Writer {
  errorStacks = false;
  asJson = false;
  #maxDepth = 0;
  #arrayProps = true;
  /** Whether `Object.prototype` has enumerable properties, which `for..in` would list for every object. */
  #polluted = false;
  #depth = 0;
  /** The path to what is being written, with one step for each open object. */
  readonly #steps: Step[] = [];
  readonly #ids = new ObjectIds();
  #budget: Budget | null = null;

  /** Writes the header and the value. */
  run(value: unknown, options: EncoderOptions): void {
    this.pos = 0;
    this.#maxDepth = options.maxDepth;
    this.#arrayProps = options.arrayProps;
    this.errorStacks = options.errorStacks;
    this.asJson = options.asJson;
    this.#polluted = isPolluted();
    this.#depth = 0;
    this.#budget = null;
    try {
      this.byte(0xff);
      this.varint(15);
      this.value(value, knownKeys.top);
      this.#weigh();
    } finally {
      this.#ids.forget();
    }
  }

  /** Checks the limit on heavy objects, which depends on the number of bytes, so it comes last. */
  #weigh(): void {
    if (this.#budget === null || this.#budget.takeHeavy(0, this.pos)) return;
    throw this.unstorable("too many Maps, Sets, buffers, views or errors for the number of bytes");
  }

  /** What this value may still use of the limits. */
  get budget(): Budget {
    return this.#budget ??= new Budget();
  }

  /** Makes the error for something at the current step. */
  unstorable(what: string, cause?: unknown): Error {
    return unstorable(what, this.#steps.slice(0, this.#depth), cause);
  }

  /** Makes the error for the innermost open object itself. */
  unstorableHere(what: string, cause?: unknown): Error {
    return unstorable(what, this.#steps.slice(0, this.#depth - 1), cause);
  }

  /** Notes which member of the innermost open object comes next. */
  step(step: Step): void {
    this.#steps[this.#depth - 1] = step;
  }

  /** Writes any value. `within` is the key whose value it is, or is part of. Needs room for 16 bytes. */
  value(value: unknown, within: KnownKey): void {
    if (typeof value === "string") this.string(value);
    else if (typeof value === "number") this.number(value);
    else if (typeof value === "object" && value !== null) this.#object(value, within);
    else this.#other(value);
  }

  #other(value: unknown): void {
    switch (typeof value) {
      case "boolean":
        return this.byte(value ? 0x54 : 0x46); // T F
      case "object":
        return this.byte(0x30); // 0
      case "undefined":
        return this.byte(0x5f); // _
      case "bigint":
        this.byte(0x5a); // Z
        return this.bigint(value);
      default:
        throw this.unstorable(`a ${typeof value}`);
    }
  }

  #object(object: object, within: KnownKey): void {
    const prototype = this.#prototypeOf(object);
    const isPlain = prototype === Object.prototype || prototype === null;
    if (this.asJson && !isPlain && !Array.isArray(object) && hasToJson(object)) {
      return this.#shown(object.toJSON(this.#name()), within);
    }
    this.#member(object, isPlain, within);
  }

  /** The name of the value in its object, which `toJSON` gets as an argument, as from `JSON.stringify`. */
  #name(): string {
    return this.#depth === 0 ? "" : String(this.#steps[this.#depth - 1]);
  }

  /** Writes what a `toJSON` has returned. If that has a `toJSON` too, it is not called, as in JSON. */
  #shown(shown: unknown, within: KnownKey): void {
    if (shown === undefined) throw this.unstorable("an object whose toJSON returns undefined");
    if (typeof shown !== "object" || shown === null) return this.value(shown, within);
    const prototype = this.#prototypeOf(shown);
    this.#member(shown, prototype === Object.prototype || prototype === null, within);
  }

  #member(object: object, isPlain: boolean, within: KnownKey): void {
    const id = this.#ids.find(object);
    if (id >= 0) {
      this.byte(0x5e); // ^
      return this.varint(id);
    }
    if (this.#depth === this.#maxDepth) {
      throw this.unstorable(`a value nested deeper than ${this.#maxDepth} objects`);
    }
    this.#depth++;
    if (Array.isArray(object)) this.#array(object, within);
    else if (isPlain) this.plain(object, within, this.#polluted);
    else writeBuiltin(this, object, within);
    this.#depth--;
  }

  #prototypeOf(object: object): object | null {
    try {
      return Object.getPrototypeOf(object);
    } catch (cause) {
      throw this.unstorable("a revoked Proxy", cause);
    }
  }

  /**
   * `o`: own enumerable string keys in the engine's order, which is the format's: indexes come first.
   * `inherits` says that `for..in` may list inherited keys too. Checking each key costs 6 to 9 %.
   */
  plain(object: object, within: KnownKey, inherits: boolean): void {
    const source = object as Record<string, unknown>;
    const place = knownKeys.placeIn(within);
    const steps = this.#steps;
    const level = this.#depth - 1;
    let last = place.start;
    let count = 0;
    this.byte(0x6f); // o
    for (const key in source) {
      if (inherits && !hasOwnProperty.call(source, key)) continue;
      if (count === 0 && key === "0") this.#refuseArguments(object);
      steps[level] = key;
      last = this.#key(key, last, place);
      this.value(source[key], last);
      count++;
    }
    if (count === 0) this.#refuseArguments(object);
    this.room(6);
    this.byte(0x7b); // {
    this.varint(count);
  }

  /** Refuses `arguments`, which looks like a plain object. It has no keys, or its first key is "0". */
  #refuseArguments(object: object): void {
    if (Object.prototype.toString.call(object) === "[object Arguments]") {
      throw this.unstorableHere("an arguments object");
    }
  }

  /** Writes a key and makes room for its value. Returns the known key, or the start of the place for others. */
  #key(key: string, last: KnownKey, place: Place): KnownKey {
    let known = last.next;
    if (known === null || known.key !== key) {
      known = place.find(key);
      if (known === null) return this.#newKey(key, last, place);
      last.next = known;
    }
    const bytes = known.bytes;
    const length = bytes.length;
    this.room(length + 16);
    const { buf, pos } = this;
    for (let i = 0; i < length; i++) buf[pos + i] = bytes[i]!;
    this.pos = pos + length;
    return known;
  }

  #newKey(key: string, last: KnownKey, place: Place): KnownKey {
    const index = arrayIndex(key);
    this.room(9 + 16);
    if (index >= 0) {
      this.number(index);
      return place.start;
    }
    const start = this.pos;
    this.string(key);
    this.room(16);
    if (this.buf[start] !== 0x22) return place.start; // the padding of a two-byte key depends on its offset
    const added = knownKeys.add(place, key, this.buf.subarray(start, this.pos));
    return added === null ? place.start : last.next = added;
  }

  /** `A`: length, that many values, named properties, the number of named properties, the length again. */
  #array(array: unknown[], within: KnownKey): void {
    const names = this.#arrayProps ? Object.keys(array) : null;
    const length = array.length;
    if (!isDense(array, names)) return this.#sparseArray(array, length, names, within);
    const steps = this.#steps;
    const level = this.#depth - 1;
    this.byte(0x41); // A
    this.varint(length);
    for (let i = 0; i < length; i++) {
      const value = array[i];
      this.room(16);
      if (value === undefined && !hasOwnProperty.call(array, i)) { // deleted by a getter just now
        this.byte(0x2d); // -
        continue;
      }
      steps[level] = i;
      this.value(value, within);
    }
    const named = names !== null && names.length > length;
    const count = named ? this.#properties(array, names.slice(length), within) : 0;
    this.room(11);
    this.byte(0x24); // $
    this.varint(count);
    this.varint(length);
  }

  /** `a`, for arrays with holes: indexes and names as keys with their values, then the number of all keys. */
  #sparseArray(array: unknown[], length: number, names: string[] | null, within: KnownKey): void {
    this.byte(0x61); // a
    this.varint(length);
    names ??= Object.keys(array).filter((name) => arrayIndex(name) >= 0);
    const count = this.#properties(array, names, within);
    this.room(11);
    this.byte(0x40); // @
    this.varint(count);
    this.varint(length);
  }

  /** Writes these own properties of an array. Returns how many of them were still there. */
  #properties(array: unknown[], names: readonly string[], within: KnownKey): number {
    const source = array as unknown as Record<string, unknown>;
    const place = knownKeys.placeIn(within);
    let last = place.start;
    let count = 0;
    for (const name of names) {
      if (!hasOwnProperty.call(array, name)) continue;
      this.step(name);
      last = this.#key(name, last, place);
      this.value(source[name], last);
      count++;
    }
    return count;
  }
}

function isPolluted(): boolean {
  for (const _ in Object.prototype) return true;
  return false;
}

/** Whether an array has no holes. Indexes come first among its names, so the last index's position shows it. */
function isDense(array: readonly unknown[], names: readonly string[] | null): boolean {
  const { length } = array;
  if (names !== null) return length === 0 || names[length - 1] === String(length - 1);
  for (let i = 0; i < length; i++) {
    if (array[i] === undefined && !hasOwnProperty.call(array, i)) return false;
  }
  return true;
}

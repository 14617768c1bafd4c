/**
 * Values to bytes: primitives, plain objects and arrays here, all other objects in
 * `encode_builtins.ts`. Layouts: version 15 of V8's format.
 */
import { writeBuiltin } from "./encode_builtins.ts";
import { type KeyNode, KeyTrie } from "./key_trie.ts";
import { Budget } from "./limits.ts";
import { type Step, unstorable } from "./path.ts";
import { Writer } from "./writer.ts";

/** Object ids are looked for in a list as long as it is short, which is faster than a Map. */
const LISTED = 48;

const { hasOwnProperty } = Object.prototype;
const trie = new KeyTrie();

/** What an {@linkcode Encoder} is told for one value. */
export interface EncoderOptions {
  maxDepth: number;
  arrayProps: boolean;
  errorStacks: boolean;
}

/** Writes one value at a time; see `codec.ts` for who owns it. */
export class Encoder extends Writer {
  errorStacks = false;
  #maxDepth = 0;
  #arrayProps = true;
  #depth = 0;
  /** The way to what is being written: one step for each object that is open. */
  readonly #steps: Step[] = [];
  #objects = 0;
  readonly #listed: (object | undefined)[] = [];
  #ids: Map<object, number> | null = null;
  #budget: Budget | null = null;

  /** Writes header and value from the buffer's start. */
  run(value: unknown, options: EncoderOptions): void {
    this.pos = 0;
    this.#maxDepth = options.maxDepth;
    this.#arrayProps = options.arrayProps;
    this.errorStacks = options.errorStacks;
    this.#depth = 0;
    this.#budget = null;
    try {
      this.byte(0xff);
      this.varint(15);
      this.value(value, trie.root);
      this.#weigh();
    } finally {
      this.#forget();
    }
  }

  /** Only at the end it is known how many bytes there are to carry the objects. */
  #weigh(): void {
    if (this.#budget === null || this.#budget.takeHeavy(0, this.pos)) return;
    throw this.unstorable("so many Maps, Sets, buffers, views or errors in so few bytes");
  }

  #forget(): void {
    for (let i = Math.min(this.#objects, LISTED); --i >= 0;) this.#listed[i] = undefined;
    this.#ids = null;
    this.#objects = 0;
  }

  /** What this value may still claim. */
  get budget(): Budget {
    return this.#budget ??= new Budget();
  }

  /** An error about what is at the current step. */
  unstorable(what: string, cause?: unknown): Error {
    return unstorable(what, this.#steps.slice(0, this.#depth), cause);
  }

  /** An error about the innermost open object itself. */
  unstorableHere(what: string, cause?: unknown): Error {
    return unstorable(what, this.#steps.slice(0, this.#depth - 1), cause);
  }

  /** Goes on to a member of the innermost open object. */
  step(step: Step): void {
    this.#steps[this.#depth - 1] = step;
  }

  /** Any value; `keys` predicts the keys of objects in it. */
  value(value: unknown, keys: KeyNode): void {
    this.room(16);
    switch (typeof value) {
      case "string":
        return this.string(value);
      case "number":
        return this.number(value);
      case "boolean":
        return this.byte(value ? 0x54 : 0x46); // T F
      case "object":
        return value === null ? this.byte(0x30) : this.#object(value, keys); // 0
      case "undefined":
        return this.byte(0x5f); // _
      case "bigint":
        this.byte(0x5a); // Z
        return this.bigint(value);
      default:
        throw this.unstorable(`a ${typeof value}`);
    }
  }

  #object(object: object, keys: KeyNode): void {
    const id = this.#identify(object);
    if (id >= 0) {
      this.byte(0x5e); // ^
      return this.varint(id);
    }
    if (this.#depth === this.#maxDepth) {
      throw this.unstorable(`a value nested deeper than ${this.#maxDepth} objects`);
    }
    this.#depth++;
    if (this.#isArray(object)) {
      this.#array(object, keys);
    } else {
      const prototype = Object.getPrototypeOf(object);
      if (prototype === Object.prototype || prototype === null) this.plain(object, keys);
      else writeBuiltin(this, object, keys);
    }
    this.#depth--;
  }

  #isArray(object: object): object is unknown[] {
    try {
      return Array.isArray(object);
    } catch (cause) {
      throw this.unstorableHere("a revoked Proxy", cause);
    }
  }

  /** The id of an object that was met before; otherwise gives it the next one and returns -1. */
  #identify(object: object): number {
    if (this.#ids !== null) {
      const id = this.#ids.get(object);
      if (id !== undefined) return id;
      this.#ids.set(object, this.#objects++);
      return -1;
    }
    const listed = this.#listed;
    const count = this.#objects;
    for (let id = 0; id < count; id++) if (listed[id] === object) return id;
    if (count < LISTED) listed[count] = object;
    else {
      this.#ids = new Map();
      for (let id = 0; id < LISTED; id++) this.#ids.set(listed[id] as object, id);
      this.#ids.set(object, count);
    }
    this.#objects++;
    return -1;
  }

  /** `o`: own enumerable string keys in the engine's order, which is the format's: indexes first. */
  plain(object: object, keys: KeyNode): void {
    const source = object as Record<string, unknown>;
    let node = trie.inner(keys);
    let count = 0;
    this.byte(0x6f); // o
    for (const key in source) {
      if (!hasOwnProperty.call(source, key)) continue;
      if (count === 0 && key === "0") this.#refuseArguments(object);
      this.step(key);
      node = this.#key(key, node);
      this.value(source[key], node);
      count++;
    }
    if (count === 0) this.#refuseArguments(object);
    this.room(6);
    this.byte(0x7b); // {
    this.varint(count);
  }

  /** `arguments` looks like a plain object, but has no key or begins with "0". */
  #refuseArguments(object: object): void {
    if (Object.prototype.toString.call(object) === "[object Arguments]") {
      throw this.unstorableHere("an arguments object");
    }
  }

  #key(key: string, node: KeyNode): KeyNode {
    let child = node.next;
    if (child === null || child.key !== key) {
      child = node.children.find((child) => child.key === key) ?? null;
      if (child === null) return this.#newKey(key, node);
      node.next = child;
    }
    const bytes = child.bytes;
    const length = bytes.length;
    this.room(length);
    const { buf, pos } = this;
    for (let i = 0; i < length; i++) buf[pos + i] = bytes[i] as number;
    this.pos = pos + length;
    return child;
  }

  #newKey(key: string, node: KeyNode): KeyNode {
    const index = arrayIndex(key);
    this.room(9);
    if (index >= 0) {
      this.number(index);
      return node;
    }
    const start = this.pos;
    this.string(key);
    if (this.buf[start] !== 0x22) return node; // two-byte keys are padded according to their place
    return trie.add(node, key, this.buf.subarray(start, this.pos)) ?? node;
  }

  #array(array: unknown[], keys: KeyNode): void {
    const names = this.#arrayProps ? Object.keys(array) : null;
    const length = array.length;
    // Indexes come first and ascending, so the last one's place tells whether all are there.
    const dense = names === null
      ? !hasHole(array)
      : length === 0 || names[length - 1] === String(length - 1);
    if (dense) this.#denseArray(array, length, names, keys);
    else this.#sparseArray(array, length, names, keys);
  }

  /** `A`: as many values as its length, then named properties; the count is of the named ones. */
  #denseArray(array: unknown[], length: number, names: string[] | null, keys: KeyNode): void {
    this.byte(0x41); // A
    this.varint(length);
    for (let i = 0; i < length; i++) {
      const value = array[i];
      if (value === undefined && !hasOwnProperty.call(array, i)) { // deleted by a getter just now
        this.room(1);
        this.byte(0x2d); // -
        continue;
      }
      this.step(i);
      this.value(value, keys);
    }
    const count = names === null ? 0 : this.#properties(array, names.slice(length), keys);
    this.room(11);
    this.byte(0x24); // $
    this.varint(count);
    this.varint(length);
  }

  /** `a`: for arrays with holes, indexes and names alike as key and value; the count is of both. */
  #sparseArray(array: unknown[], length: number, names: string[] | null, keys: KeyNode): void {
    this.byte(0x61); // a
    this.varint(length);
    names ??= Object.keys(array).filter((name) => arrayIndex(name) >= 0);
    const count = this.#properties(array, names, keys);
    this.room(11);
    this.byte(0x40); // @
    this.varint(count);
    this.varint(length);
  }

  /** Writes the named ones of an array's own properties; how many there still were. */
  #properties(array: unknown[], names: readonly string[], keys: KeyNode): number {
    const source = array as unknown as Record<string, unknown>;
    let node = keys;
    let count = 0;
    for (const name of names) {
      if (!hasOwnProperty.call(array, name)) continue;
      this.step(name);
      node = this.#key(name, node);
      this.value(source[name], node);
      count++;
    }
    return count;
  }
}

function hasHole(array: readonly unknown[]): boolean {
  for (let i = 0; i < array.length; i++) {
    if (array[i] === undefined && !hasOwnProperty.call(array, i)) return true;
  }
  return false;
}

/** The number that a key is, where an array would take it for an index; else -1. */
function arrayIndex(key: string): number {
  const first = key.charCodeAt(0);
  if (!(first >= 0x30 && first <= 0x39) || key.length > 10) return -1;
  const index = Number(key);
  return Number.isInteger(index) && index < 0xffff_ffff && String(index) === key ? index : -1;
}

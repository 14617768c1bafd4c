/** Makes random values from a seed: all types, shared objects, cycles; the same in every runtime. */
import { Buffer } from "node:buffer";
import { VIEWS } from "./view_classes.ts";

/** Makes random integers from a seed (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** 0 to 2^32 - 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** 0 to `limit` - 1. */
  below(limit: number): number {
    return this.next() % limit;
  }

  /** Returns one element of a list. */
  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
}

const NAMES = [
  "id",
  "name",
  "user",
  "a",
  "b",
  "roles",
  "größe",
  "ключ",
  "",
  "0",
  "17",
  "4294967294",
  "__proto__",
];
const ALPHABETS = [
  "abcdefghij_-0123456789",
  "abcdefghiéüÿ\x80\x9f",
  "aжé日本€",
  "a\ud83d\ude00\ud800\udc00x",
];
const LENGTHS = [0, 1, 2, 3, 5, 8, 9, 16, 17, 39, 40, 41, 42, 63, 64, 127, 128, 200];
const ERRORS = [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError];

/** Makes one random value after another. */
export class RandomValues {
  readonly #random: Random;
  #made: object[] = [];
  #left = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  /** Makes the next value: usually small, sometimes of 200 objects. */
  next(): unknown {
    this.#made = [];
    this.#left = this.#random.of([1, 4, 10, 25, 25, 60, 200]);
    return this.#value();
  }

  #value(): unknown {
    const random = this.#random;
    if (--this.#left < 0 || random.below(10) < 5) return this.#primitive();
    switch (random.below(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return this.#fill(this.#keep({}), random.below(8));
      case 4:
      case 5:
      case 6:
        return this.#array();
      case 7:
        return this.#map();
      case 8:
        return this.#set();
      case 9:
      case 10:
        return this.#made.length > 0 ? random.of(this.#made) : null;
      case 11:
        return this.#error();
      case 12:
        return this.#view();
      default:
        return this.#keep(this.#leaf());
    }
  }

  #keep<T extends object>(object: T): T {
    this.#made.push(object);
    return object;
  }

  #primitive(): unknown {
    const random = this.#random;
    switch (random.below(12)) {
      case 0:
        return undefined;
      case 1:
        return null;
      case 2:
        return random.below(2) === 0;
      case 3:
        return this.#bigint();
      case 4:
        return random.below(300) - 150;
      case 5:
        return (random.next() | 0) >> random.below(32);
      case 6:
        return this.#double();
      case 7:
        return random.of([-0, NaN, Infinity, 2 ** 31, -(2 ** 31) - 1, 2 ** 53, 0.1]);
      default:
        return this.#string();
    }
  }

  #string(): string {
    const alphabet = this.#random.of(ALPHABETS);
    let text = "";
    for (let left = this.#random.of(LENGTHS); left > 0; left--) {
      text += alphabet[this.#random.below(alphabet.length)];
    }
    return text;
  }

  #double(): number {
    const bits = Uint32Array.of(this.#random.next(), this.#random.next());
    return new Float64Array(bits.buffer)[0] as number;
  }

  #bigint(): bigint {
    let value = 0n;
    for (let left = this.#random.below(6); left > 0; left--) {
      value = (value << 32n) | BigInt(this.#random.next());
    }
    return this.#random.below(2) === 0 ? value : -value;
  }

  #key(): string {
    if (this.#random.below(4) > 0) return this.#random.of(NAMES);
    return this.#random.below(2) === 0 ? this.#string() : String(this.#random.below(1000));
  }

  #fill<T extends object>(object: T, count: number): T {
    for (let i = 0; i < count; i++) {
      const value = this.#value();
      Object.defineProperty(object, this.#key(), {
        value,
        writable: true,
        enumerable: true,
        configurable: true,
      });
    }
    return object;
  }

  #array(): unknown[] {
    const array: unknown[] = this.#keep([]);
    const length = this.#random.of([0, 1, 2, 3, 5, 10, 30]);
    for (let i = 0; i < length; i++) array.push(this.#value());
    if (this.#random.below(6) === 0) array.length += this.#random.of([1, 2, 2000, 100_000]);
    if (this.#random.below(6) === 0) delete array[this.#random.below(array.length + 1)];
    return this.#random.below(8) === 0 ? this.#fill(array, 2) : array;
  }

  #map(): Map<unknown, unknown> {
    const map = this.#keep(new Map<unknown, unknown>());
    for (let left = this.#random.below(6); left > 0; left--) map.set(this.#value(), this.#value());
    return map;
  }

  #set(): Set<unknown> {
    const set = this.#keep(new Set<unknown>());
    for (let left = this.#random.below(6); left > 0; left--) set.add(this.#value());
    return set;
  }

  /** Makes an error whose cause refers to nothing outside itself: Node 20 cannot read a way back to the error. */
  #error(): Error {
    const Class = this.#random.of(ERRORS);
    const made = this.#made;
    this.#made = [];
    const cause = this.#random.below(3) === 0 ? { cause: this.#value() } : undefined;
    this.#made = made;
    const error = new Class(this.#random.below(4) === 0 ? undefined : this.#string(), cause);
    error.stack = "Error: random\n    at somewhere";
    return this.#keep(error);
  }

  #view(): object {
    const bytes = Uint8Array.from({ length: 8 * this.#random.below(6) }, () => this.#random.next());
    if (this.#random.below(4) === 0) return this.#keep(Buffer.from(bytes.buffer));
    const View = this.#random.of(VIEWS);
    return this.#keep(new View(bytes.buffer));
  }

  #leaf(): object {
    const random = this.#random;
    switch (random.below(8)) {
      case 0:
        return new RegExp(
          random.of(["a", "[^x]+", "é|日", "\\/", ""]),
          random.of(["", "g", "iu", "msy"]),
        );
      case 1:
        return Object(this.#double());
      case 2:
        return Object(this.#string());
      case 3:
        return Object(this.#bigint());
      case 4:
        return Object(random.below(2) === 0);
      case 5:
        return Uint8Array.from({ length: random.below(50) }, () => random.next()).buffer;
      default:
        return new Date(random.of([0, -1, 1.7e12, NaN]) + random.below(100_000));
    }
  }
}

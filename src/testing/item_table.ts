/**
 * A hash table of items by key. It grows by one bucket at a time (linear hashing), so that no single insertion
 * takes long. A Map of a million entries takes 100 ms when it grows.
 */
import type { Item } from "./item.ts";

/** How many buckets there are at the start: a power of two. */
const FIRST_BUCKETS = 1024;

/** A hash table of items by key. */
export class ItemTable {
  readonly #buckets: (Item | undefined)[] = new Array(FIRST_BUCKETS).fill(undefined);
  /** How many buckets there were before the present round of splits: a power of two. */
  #round = FIRST_BUCKETS;
  /** A random start for the hash, so that clients cannot predict which keys share a bucket. */
  readonly #seed = Math.floor(Math.random() * 2 ** 31);
  #size = 0;

  /** How many items there are. */
  get size(): number {
    return this.#size;
  }

  /** How many buckets there are. */
  get buckets(): number {
    return this.#buckets.length;
  }

  /** Returns the first item of a bucket. The others follow by their `chain`. */
  bucket(index: number): Item | undefined {
    return this.#buckets[index];
  }

  /** Returns the item of a key. */
  get(key: string): Item | undefined {
    let item = this.#buckets[this.#indexOf(key)];
    while (item !== undefined && item.key !== key) item = item.chain;
    return item;
  }

  /** Adds an item, whose key must not be there. */
  add(item: Item): void {
    const index = this.#indexOf(item.key);
    item.chain = this.#buckets[index];
    this.#buckets[index] = item;
    if (++this.#size > this.#buckets.length) this.#split();
  }

  /** Removes an item, which must be there. */
  remove(item: Item): void {
    const index = this.#indexOf(item.key);
    const first = this.#buckets[index]!;
    if (first === item) {
      this.#buckets[index] = item.chain;
    } else {
      let before = first;
      while (before.chain !== item) before = before.chain!;
      before.chain = item.chain;
    }
    item.chain = undefined;
    this.#size--;
  }

  /** Puts the items of one bucket into two. */
  #split(): void {
    const from = this.#buckets.length - this.#round;
    let item = this.#buckets[from];
    this.#buckets[from] = undefined;
    this.#buckets.push(undefined);
    if (this.#buckets.length === 2 * this.#round) this.#round *= 2;
    while (item !== undefined) {
      const next = item.chain;
      const index = this.#indexOf(item.key);
      item.chain = this.#buckets[index];
      this.#buckets[index] = item;
      item = next;
    }
  }

  #indexOf(key: string): number {
    const hash = this.#hash(key);
    const index = hash & (2 * this.#round - 1);
    return index < this.#buckets.length ? index : hash & (this.#round - 1);
  }

  /** Hashes by FNV-1a, and mixes the bits once more. */
  #hash(key: string): number {
    let hash = this.#seed;
    for (let at = 0; at < key.length; at++) {
      hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
    }
    hash ^= hash >>> 15;
    hash = Math.imul(hash, 0x2c1b3c6d);
    return (hash ^ (hash >>> 13)) >>> 0;
  }
}

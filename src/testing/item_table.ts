/**
 * Items by key. It grows by one bucket at a time (linear hashing), so no single insertion takes long:
 * a Map of a million entries takes 100 ms when it grows.
 */
import type { Item } from "./item.ts";

/** Buckets at the start; a power of two. */
const FIRST_BUCKETS = 1024;

/** Items by key. */
export class ItemTable {
  readonly #buckets: (Item | undefined)[] = new Array(FIRST_BUCKETS).fill(undefined);
  /** A power of two: the buckets that there were before the present round of splits. */
  #round = FIRST_BUCKETS;
  /** Makes the distribution one that clients cannot know. */
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

  /** The first item of a bucket; the others hang on its `chain`. */
  bucket(index: number): Item | undefined {
    return this.#buckets[index];
  }

  /** The item of a key. */
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

  /** Takes an item out, which must be there. */
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

  /** FNV-1a, with its bits mixed once more. */
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

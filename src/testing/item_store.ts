/**
 * The items themselves: found by key, dropped when expired, flushed or least recently used.
 *
 * One list in order of use stands where memcached has four a slab class, so which item goes first
 * under memory pressure is simpler here. What expired is dropped when somebody meets it.
 */
import type { Timeline } from "./clock.ts";
import type { Counters } from "./counters.ts";
import { type Item, itemSize, sizeOf, slabClass } from "./item.ts";

/** Why an item cannot be had. */
export type Refusal = "too_large" | "out_of_memory";

/** How much an {@linkcode ItemStore} takes. */
export interface StoreLimits {
  /** Bytes of all items together. */
  memory: number;
  /** Bytes of one item, key and overhead included. */
  readonly item: number;
}

/** All items of one server. */
export class ItemStore {
  readonly #timeline: Timeline;
  readonly #counters: Counters;
  readonly #limits: StoreLimits;
  /** In order of use, the least recent first. */
  readonly #items = new Map<string, Item>();
  #bytes = 0;
  #lastCas = 0n;
  /** What was last used at this second or before is flushed, once that second has come; 0 is none. */
  #oldestLive = 0;
  /** What has a lower version is flushed as well. */
  #oldestCas = 0n;

  constructor(timeline: Timeline, counters: Counters, limits: StoreLimits) {
    this.#timeline = timeline;
    this.#counters = counters;
    this.#limits = limits;
  }

  /** Bytes that the items take. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many there are, expired ones that nobody met yet included. */
  get size(): number {
    return this.#items.size;
  }

  /** The moment of the last flush, as `stats settings` shows it. */
  get oldestLive(): number {
    return this.#oldestLive;
  }

  /** All items, the least recently used first; those that expired too. */
  items(): Iterable<Item> {
    return this.#items.values();
  }

  /** The next version. */
  nextCas(): bigint {
    return ++this.#lastCas;
  }

  /** Whether an item of this size can be stored at all. */
  refusal(keyLength: number, flags: number, blockLength: number): Refusal | undefined {
    const size = sizeOf(keyLength, flags, blockLength);
    if (size > this.#limits.item) return "too_large";
    return size > this.#limits.memory ? "out_of_memory" : undefined;
  }

  /** The item of a key; one that expired or was flushed is dropped here. */
  get(key: string): Item | undefined {
    const item = this.#items.get(key);
    if (item === undefined) return undefined;
    const flushed = this.isFlushed(item);
    if (!flushed && (item.exptime === 0 || item.exptime > this.#timeline.now)) return item;
    this.#counters.totals[flushed ? "get_flushed" : "get_expired"]++;
    this.unlink(item);
    return undefined;
  }

  /** Notes a read. The first leaves the time of access alone, as in memcached. */
  bump(item: Item): void {
    if (item.fetched) item.time = this.#timeline.now;
    item.fetched = true;
    this.#moveUp(item);
  }

  /** Notes a change of an item that stays where it is. */
  touch(item: Item): void {
    item.time = this.#timeline.now;
    this.#moveUp(item);
  }

  /** Adds an item under a new version, in the place of `old` if there is one. */
  link(item: Item, old?: Item): void {
    if (old !== undefined) this.unlink(old);
    const size = itemSize(item);
    this.#makeRoom(size);
    item.time = this.#timeline.now;
    item.cas = this.nextCas();
    this.#items.set(item.key, item);
    this.#bytes += size;
    this.#counters.totals.total_items++;
  }

  /** Drops an item. */
  unlink(item: Item): void {
    this.#items.delete(item.key);
    this.#bytes -= itemSize(item);
  }

  /** Whether a `flush_all` that has come into force covers an item. */
  isFlushed(item: Item): boolean {
    if (this.#oldestLive === 0 || this.#oldestLive > this.#timeline.now) return false;
    return item.time <= this.#oldestLive || item.cas < this.#oldestCas;
  }

  /**
   * `flush_all`: at once, or after a delay. Nothing is dropped here, so a later flush with a delay
   * brings back what an earlier one had covered and nobody had asked for since, as in memcached.
   */
  flush(delay: number): void {
    const { now } = this.#timeline;
    this.#oldestLive = (delay > 0 ? this.#timeline.moment(delay) : now) - 1;
    if (this.#oldestLive <= now) this.#oldestCas = this.nextCas();
  }

  /** Drops what expired or was flushed in the chosen slab classes. */
  crawl(chosen: (slab: number) => boolean): void {
    for (const item of this.#items.values()) {
      const slab = slabClass(itemSize(item));
      if (!chosen(slab)) continue;
      const flushed = this.isFlushed(item);
      if (!flushed && !this.#isExpired(item)) continue;
      const counters = this.#counters.ofClass(slab);
      counters.crawler_reclaimed++;
      if (!flushed && !item.fetched) counters.expired_unfetched++;
      this.unlink(item);
    }
  }

  #isExpired(item: Item): boolean {
    return item.exptime !== 0 && item.exptime < this.#timeline.now;
  }

  #moveUp(item: Item): void {
    this.#items.delete(item.key);
    this.#items.set(item.key, item);
  }

  #makeRoom(size: number): void {
    for (const item of this.#items.values()) {
      if (this.#bytes + size <= this.#limits.memory) return;
      this.#evict(item);
    }
  }

  #evict(item: Item): void {
    const counters = this.#counters.ofClass(slabClass(itemSize(item)));
    if (this.isFlushed(item) || this.#isExpired(item)) {
      counters.reclaimed++;
      if (!item.fetched) counters.expired_unfetched++;
    } else {
      counters.evicted++;
      counters.evicted_time = this.#timeline.now - item.time;
      if (!item.fetched) counters.evicted_unfetched++;
      if (item.exptime !== 0) counters.evicted_nonzero++;
    }
    this.unlink(item);
  }
}

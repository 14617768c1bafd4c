/**
 * The items themselves: found by key, dropped when expired, flushed or least recently used.
 *
 * One list in order of use stands where memcached has four a slab class, so which item goes first
 * under memory pressure is simpler here. What expired is dropped when somebody meets it.
 */
import { ownText } from "./block.ts";
import type { Timeline } from "./clock.ts";
import type { Counters } from "./counters.ts";
import { costOf, isChunked, type Item, sizeOf, slabClass } from "./item.ts";
import { ItemTable } from "./item_table.ts";
import { UseList } from "./use_list.ts";
import type { StoreLimits } from "./settings.ts";

/** Why an item cannot be stored. While it is read, memcached no longer drops the old one. */
export type Refusal = "too_large" | "out_of_memory" | "out_of_memory_reading";

/** What an {@linkcode ItemStore} does. */
export interface StoreRules {
  readonly limits: StoreLimits;
  /** Whether the least recently used make room; otherwise what does not fit is refused. */
  readonly evicts: boolean;
  /** Whether items have versions. */
  readonly cas: boolean;
}

/** Items and buckets that one step of a walk over all items looks at. */
export const ITEMS_A_STEP = 1000;

/**
 * Items that are dropped at a time, at most: enough for a new item of 1 MiB among the smallest. What a larger
 * one needs, or a lower limit, follows with the next commands.
 */
const MOST_EVICTIONS = 10_000;

/** Where nothing is evicted: items, the least recently used, among which memcached looks for expired ones. */
const RECLAIM_TRIES = 5;

/** All items of one server. */
export class ItemStore {
  readonly #timeline: Timeline;
  readonly #counters: Counters;
  readonly #rules: StoreRules;
  readonly #table = new ItemTable();
  readonly #uses = new UseList();
  /** Bytes as memcached counts them. */
  #bytes = 0;
  /** What the limit counts: of the items, of those that are gone but for replies, of uploads. */
  #itemCost = 0;
  #goneCost = 0;
  #uploadCost = 0;
  #lastCas = 0;
  /** What was last used at this second or before is flushed, once that second has come; 0 is none. */
  #oldestLive = 0;
  /** What has a lower version is flushed as well. */
  #oldestCas = 0;

  constructor(timeline: Timeline, counters: Counters, rules: StoreRules) {
    this.#timeline = timeline;
    this.#counters = counters;
    this.#rules = rules;
  }

  /** Bytes that the items take in memcached. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many there are, expired ones that nobody met yet included. */
  get size(): number {
    return this.#table.size;
  }

  /** The moment of the last flush, as `stats settings` shows it. */
  get oldestLive(): number {
    return this.#oldestLive;
  }

  /** Bytes that memcached takes for an item. */
  sizeOf(item: Item): number {
    return sizeOf(item.key.length, item.flags, item.block.length, this.#rules.cas);
  }

  /**
   * Shows some items, expired ones included, in no order; `see` may drop the one that it is shown.
   * Returns where to go on, or undefined at the end. Begin at 0. What is added meanwhile may be shown, and
   * what is there may then be shown twice.
   */
  visit(from: number, most: number, see: (item: Item) => void): number | undefined {
    let bucket = from;
    for (let seen = 0; bucket < this.#table.buckets && seen < most; bucket++, seen++) {
      let item = this.#table.bucket(bucket);
      while (item !== undefined) {
        const next: Item | undefined = item.chain;
        see(item);
        item = next;
        seen++;
      }
    }
    return bucket < this.#table.buckets ? bucket : undefined;
  }

  /** The next version. */
  nextCas(): number {
    return this.#rules.cas ? ++this.#lastCas : 0;
  }

  /** Why an item of this size cannot be stored now, if it cannot. */
  refusal(keyLength: number, flags: number, blockLength: number): Refusal | undefined {
    const { limits, evicts, cas } = this.#rules;
    const size = sizeOf(keyLength, flags, blockLength, cas);
    if (size > limits.item) return "too_large";
    const cost = costOf(size);
    const fixed = this.#goneCost + this.#uploadCost + (evicts ? 0 : this.#itemCost);
    if (fixed + cost <= limits.memory) return undefined;
    if (!evicts && size <= limits.memory) {
      this.#reclaim(cost);
      if (this.#fits(cost)) return undefined;
      // A large one gets its memory piece by piece while it is read.
      if (isChunked(size)) return "out_of_memory_reading";
    }
    this.#counters.ofClass(slabClass(size)).outofmemory++;
    return "out_of_memory";
  }

  /** Makes room for a value that is on its way. */
  beginUpload(bytes: number): void {
    this.#makeRoom(bytes);
    this.#uploadCost += bytes;
  }

  /** Makes room if more is in use than may be. */
  trim(): void {
    this.#makeRoom(0);
  }

  /** The value has come, or never will. */
  endUpload(bytes: number): void {
    this.#uploadCost -= bytes;
  }

  /** The item of a key; one that expired or was flushed is dropped here. */
  get(key: string): Item | undefined {
    const item = this.#table.get(key);
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
    const size = this.sizeOf(item);
    this.#makeRoom(costOf(size));
    item.key = old?.key ?? ownText(item.key);
    item.time = this.#timeline.now;
    item.cas = this.nextCas();
    this.#table.add(item);
    this.#uses.add(item);
    this.#bytes += size;
    this.#itemCost += costOf(size);
    this.#counters.totals.total_items++;
  }

  /** Drops an item. */
  unlink(item: Item): void {
    this.#table.remove(item);
    this.#uses.remove(item);
    const size = this.sizeOf(item);
    this.#bytes -= size;
    this.#itemCost -= costOf(size);
    if (item.held > 0) this.#goneCost += costOf(size);
  }

  /** A reply points at an item, whose memory is in use until that is sent. */
  hold(item: Item): void {
    item.held++;
  }

  /** A reply that pointed at an item is sent, or never will be. */
  letGo(item: Item): void {
    const gone = item.newer === item;
    if (--item.held === 0 && gone) this.#goneCost -= costOf(this.sizeOf(item));
  }

  /** Whether a `flush_all` that has come into force covers an item. */
  isFlushed(item: Item): boolean {
    if (this.#oldestLive === 0 || this.#oldestLive > this.#timeline.now) return false;
    return item.time <= this.#oldestLive || item.cas < this.#oldestCas;
  }

  /**
   * `flush_all`: at once, or after a delay. Nothing is dropped here, so a later flush with a delay
   * brings back what an earlier one had covered and nobody had asked for since, as in memcached.
   * Without versions all items of the present second are flushed, those yet to come included.
   */
  flush(delay: number): void {
    const { now } = this.#timeline;
    const moment = delay > 0 ? this.#timeline.moment(delay) : now;
    this.#oldestLive = this.#rules.cas ? moment - 1 : moment;
    if (this.#rules.cas && this.#oldestLive <= now) this.#oldestCas = this.nextCas();
  }

  /** Drops an item if it expired or was flushed, for the crawler. */
  crawl(item: Item): void {
    const flushed = this.isFlushed(item);
    if (!flushed && !this.#isExpired(item)) return;
    const counters = this.#counters.ofClass(slabClass(this.sizeOf(item)));
    counters.crawler_reclaimed++;
    if (!flushed && !item.fetched) counters.expired_unfetched++;
    this.unlink(item);
  }

  #isExpired(item: Item): boolean {
    return item.exptime !== 0 && item.exptime < this.#timeline.now;
  }

  #moveUp(item: Item): void {
    this.#uses.remove(item);
    this.#uses.add(item);
  }

  #fits(cost: number): boolean {
    const used = this.#itemCost + this.#goneCost + this.#uploadCost;
    return used + cost <= this.#rules.limits.memory;
  }

  #makeRoom(cost: number): void {
    if (!this.#rules.evicts) return;
    for (let count = 0; count < MOST_EVICTIONS && !this.#fits(cost); count++) {
      const { oldest } = this.#uses;
      if (oldest === undefined) return;
      this.#evict(oldest);
    }
  }

  /** Drops expired items from the older end of the list. */
  #reclaim(cost: number): void {
    let item = this.#uses.oldest;
    for (let tries = 0; item !== undefined && tries < RECLAIM_TRIES && !this.#fits(cost);) {
      const newer = this.#uses.newerThan(item);
      if (this.isFlushed(item) || this.#isExpired(item)) this.#evict(item);
      else tries++;
      item = newer;
    }
  }

  #evict(item: Item): void {
    const counters = this.#counters.ofClass(slabClass(this.sizeOf(item)));
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

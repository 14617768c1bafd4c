/**
 * Keeps the items: finds them by key, and drops them when they are expired, flushed or least recently used.
 *
 * memcached has four lists for each slab class; here one list in the order of use stands for all of them, so
 * which item is evicted first is simpler. An expired item is dropped when somebody asks for it.
 */
import { ownText } from "./block.ts";
import type { Timeline } from "./clock.ts";
import type { Counters } from "./counters.ts";
import { costOf, isChunked, type Item, sizeOf, slabClass } from "./item.ts";
import { ItemTable } from "./item_table.ts";
import { UseList } from "./use_list.ts";
import type { StoreLimits } from "./settings.ts";

/** Why an item cannot be stored. If memory runs out while it is read, memcached keeps the old item. */
export type Refusal = "too_large" | "out_of_memory" | "out_of_memory_reading";

/** The limits and rules of an {@linkcode ItemStore}. */
interface StoreRules {
  readonly limits: StoreLimits;
  /** Whether the least recently used items make room; if not, items that do not fit are refused. */
  readonly evicts: boolean;
  /** Whether items have versions. */
  readonly cas: boolean;
}

/** How many items and buckets one step of a walk over all items looks at. */
export const ITEMS_A_STEP = 1000;

/**
 * How many items are dropped at a time at most. It is enough for a new item of 1 MiB among the smallest ones.
 * If a larger item or a lower limit needs more, the next commands drop the rest.
 */
const MOST_EVICTIONS = 10_000;

/** Without evictions memcached looks for expired items among this many of the least recently used ones. */
const RECLAIM_TRIES = 5;

/** All items of one server. */
export class ItemStore {
  readonly #timeline: Timeline;
  readonly #counters: Counters;
  readonly #rules: StoreRules;
  readonly #table = new ItemTable();
  readonly #uses = new UseList();
  /** The bytes of all items, as memcached counts them. */
  #bytes = 0;
  /** What counts towards the limit: items, dropped items that replies still refer to, and uploads. */
  #itemCost = 0;
  #goneCost = 0;
  #uploadCost = 0;
  #lastCas = 0;
  /** Items last used at this second or before are flushed, once that second has come; 0: there was no flush. */
  #oldestLive = 0;
  /** Items with a lower version are flushed as well. */
  #oldestCas = 0;

  constructor(timeline: Timeline, counters: Counters, rules: StoreRules) {
    this.#timeline = timeline;
    this.#counters = counters;
    this.#rules = rules;
  }

  /** How many bytes the items would take in memcached. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many items there are. Expired ones that nobody has asked for count too. */
  get size(): number {
    return this.#table.size;
  }

  /** The moment of the last flush, as `stats settings` shows it. */
  get oldestLive(): number {
    return this.#oldestLive;
  }

  /** Returns how many bytes the item would take in memcached. */
  sizeOf(item: Item): number {
    return sizeOf(item.key.length, item.flags, item.block.length, this.#rules.cas);
  }

  /**
   * Shows some items in no particular order, expired ones included. `see` may drop the item that it is shown.
   * Begin at 0; the result says where to go on, or is undefined at the end. Items that are added meanwhile may
   * be shown, and others may then be shown twice.
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

  /** Returns the next version. */
  nextCas(): number {
    return this.#rules.cas ? ++this.#lastCas : 0;
  }

  /** Says why an item of this size cannot be stored now; undefined if it can. */
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
      // memcached allocates a large item piece by piece while it reads the value.
      if (isChunked(size)) return "out_of_memory_reading";
    }
    this.#counters.ofClass(slabClass(size)).outofmemory++;
    return "out_of_memory";
  }

  /** Makes room for a value that is about to arrive. */
  beginUpload(bytes: number): void {
    this.#makeRoom(bytes);
    this.#uploadCost += bytes;
  }

  /** Makes room if more memory is in use than the limit allows. */
  trim(): void {
    this.#makeRoom(0);
  }

  /** Notes that the value has arrived, or that it never will. */
  endUpload(bytes: number): void {
    this.#uploadCost -= bytes;
  }

  /** Returns the item of a key. Drops it instead if it has expired or was flushed. */
  get(key: string): Item | undefined {
    const item = this.#table.get(key);
    if (item === undefined) return undefined;
    const flushed = this.isFlushed(item);
    if (!flushed && (item.exptime === 0 || item.exptime > this.#timeline.now)) return item;
    this.#counters.totals[flushed ? "get_flushed" : "get_expired"]++;
    this.unlink(item);
    return undefined;
  }

  /** Notes a read. The first read does not change the time of the last use, as in memcached. */
  bump(item: Item): void {
    if (item.fetched) item.time = this.#timeline.now;
    item.fetched = true;
    this.#moveUp(item);
  }

  /** Notes that an item was used or changed in place. */
  touch(item: Item): void {
    item.time = this.#timeline.now;
    this.#moveUp(item);
  }

  /** Adds an item under a new version. It replaces `old` if that is given. */
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

  /** Notes that a reply refers to an item, whose memory is in use until the reply is sent. */
  hold(item: Item): void {
    item.held++;
  }

  /** Notes that a reply that referred to an item was sent, or never will be. */
  letGo(item: Item): void {
    const gone = item.newer === item;
    if (--item.held === 0 && gone) this.#goneCost -= costOf(this.sizeOf(item));
  }

  /** Whether a `flush_all` that is in force covers an item. */
  isFlushed(item: Item): boolean {
    if (this.#oldestLive === 0 || this.#oldestLive > this.#timeline.now) return false;
    return item.time <= this.#oldestLive || item.cas < this.#oldestCas;
  }

  /**
   * Does a `flush_all`, at once or after a delay. It drops nothing: so a later flush with a delay brings back
   * items that an earlier flush covered and nobody has asked for since, as in memcached. Without versions all
   * items of the present second are flushed, even those that are stored later in that second.
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

/** The server's counters, under the names that `stats` gives them. */

const NAMES = [
  "total_connections",
  "rejected_connections",
  "cmd_get",
  "cmd_set",
  "cmd_flush",
  "cmd_touch",
  "cmd_meta",
  "get_hits",
  "get_misses",
  "get_expired",
  "get_flushed",
  "delete_misses",
  "delete_hits",
  "incr_misses",
  "incr_hits",
  "decr_misses",
  "decr_hits",
  "cas_misses",
  "cas_hits",
  "cas_badval",
  "touch_hits",
  "touch_misses",
  "store_too_large",
  "store_no_memory",
  "auth_cmds",
  "auth_errors",
  "idle_kicks",
  "bytes_read",
  "bytes_written",
  "conn_yields",
  "lru_crawler_starts",
  "total_items",
] as const;

/** A counter of the whole server. */
export type CounterName = typeof NAMES[number];

const CLASS_NAMES = [
  "evicted",
  "evicted_nonzero",
  "evicted_time",
  "outofmemory",
  "reclaimed",
  "expired_unfetched",
  "evicted_unfetched",
  "crawler_reclaimed",
] as const;

/** A counter of one slab class. */
export type ClassCounterName = typeof CLASS_NAMES[number];

/** The counters of one slab class. */
type ClassCounters = Record<ClassCounterName, number>;

/** All counters of one server. */
export class Counters {
  /** The counters of the whole server. */
  readonly totals: Record<CounterName, number> = zeros(NAMES);
  readonly #classes = new Map<number, ClassCounters>();

  /** Returns the counters of one slab class. */
  ofClass(id: number): ClassCounters {
    let counters = this.#classes.get(id);
    if (counters === undefined) this.#classes.set(id, counters = zeros(CLASS_NAMES));
    return counters;
  }

  /** Returns one counter, summed over all slab classes. */
  sum(name: ClassCounterName): number {
    let sum = 0;
    for (const counters of this.#classes.values()) sum += counters[name];
    return sum;
  }

  /** Sets all counters to 0, for `stats reset`. */
  reset(): void {
    Object.assign(this.totals, zeros(NAMES));
    this.#classes.clear();
  }
}

function zeros<Name extends string>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
}

/** The options of `fetch` and `fetchMany`, checked once. */
import { checkObject, type Given, unknownOption } from "../../checks/options.ts";
import { checkMs, checkSeconds, checkSignal } from "../../checks/values.ts";
import { invalidType } from "../../errors.ts";
import type { DialectName } from "../../protocol/dialect_name.ts";
import { toExptime } from "../../protocol/exptime.ts";
import { type CallOptions, CheckedOptions } from "../options.ts";

/** Options of {@link Memcached.fetch} and {@link Memcached.fetchMany}. */
export interface FetchOptions extends CallOptions {
  /**
   * Seconds for which a loaded value is fresh; by memcached's clock it may be up to one less. 0 and
   * Infinity: for ever.
   */
  ttl: number;
  /**
   * Seconds beyond `ttl` in which the old value is served while one caller of the cluster loads, and when
   * loading fails. Default 0. Only servers that speak meta can tell that a value is old; in classic the
   * value ends with `ttl`. Use the same `stale` for all fetches of a key.
   */
  stale?: number | undefined;
  /**
   * Seconds that a loader has before another caller may load, at least 2. It must be longer than the
   * slowest load: a value that takes longer is never stored. If a loader dies, the others wait a second
   * more. Default 10.
   */
  lease?: number | undefined;
  /** Seconds for which an absent result (undefined) is remembered. Default 0: it is not stored. */
  missTtl?: number | undefined;
}

const DEFAULT_LEASE = 10;
const LEAST_LEASE = 2;
const MOST_SECONDS = Number.MAX_VALUE;

/**
 * The options, checked. They are also the options of each command, which gets no signal: the signal
 * belongs to one caller, and several callers may share the command.
 */
export class FetchSettings extends CheckedOptions {
  readonly callersSignal: AbortSignal | undefined;
  /** Seconds. */
  readonly lease: number;
  /** Exptime of a stub. By memcached's clock it may end up to a second early. */
  readonly stubExptime: number;
  /**
   * An item whose ttl is below this is due for renewal. The server compares with "below", so it is one
   * more than the tail. 0: none.
   */
  readonly recache: number;
  /** Seconds; 0 and Infinity: never expires. */
  readonly #freshTtl: number;
  /** Seconds, Infinity: never expires, 0: not remembered. */
  readonly #missTtl: number;
  /** Seconds that an item stays after it is fresh; 0 if it is fresh for ever. */
  readonly #tail: number;

  constructor(
    timeout: number,
    signal: AbortSignal | undefined,
    freshTtl: number,
    stale: number,
    lease: number,
    missTtl: number,
  ) {
    super(timeout, undefined, undefined, true);
    this.callersSignal = signal;
    this.lease = lease;
    this.#freshTtl = freshTtl;
    this.#missTtl = missTtl;
    this.#tail = freshTtl === 0 || freshTtl === Infinity ? 0 : stale;
    this.stubExptime = toExptime(lease + 1, undefined, "lease");
    this.recache = this.#tail === 0 ? 0 : toExptime(this.#tail + 1, undefined, "stale");
    // They are computed again when something is stored. Here they throw for a ttl that no server keeps.
    this.valueExptime("meta");
    this.absenceExptime("meta");
  }

  /** Whether an absent result is stored. */
  get remembersAbsence(): boolean {
    return this.#missTtl > 0;
  }

  /** The exptime of a loaded value, counted from now: over 30 days it is an absolute time. */
  valueExptime(dialect: DialectName): number {
    return toExptime(this.#freshTtl + this.#tailIn(dialect));
  }

  /** The exptime of an absence that is remembered. */
  absenceExptime(dialect: DialectName): number {
    return toExptime(this.#missTtl + this.#tailIn(dialect), undefined, "missTtl");
  }

  #tailIn(dialect: DialectName): number {
    return dialect === "meta" ? this.#tail : 0;
  }
}

/**
 * Reads and checks the options. Throws. It has a loop of its own, since it runs with every hit: see
 * readCallOptions.
 */
export function readFetchOptions(options: FetchOptions, defaultTimeout: number): FetchSettings {
  if (options === undefined) throw invalidType("fetch needs options, { ttl } at least");
  checkObject(options, "options");
  let { timeout, signal, ttl, stale, lease, missTtl }: Given<FetchOptions> = NOT_GIVEN;
  for (const name in options) {
    if (!Object.hasOwn(options, name)) continue;
    if (name === "ttl") ttl = options.ttl;
    else if (name === "stale") stale = options.stale;
    else if (name === "lease") lease = options.lease;
    else if (name === "missTtl") missTtl = options.missTtl;
    else if (name === "timeout") timeout = options.timeout;
    else if (name === "signal") signal = options.signal;
    else throw unknownOption(name, Object.keys(NOT_GIVEN));
  }
  if (timeout !== undefined) checkMs(timeout, "timeout");
  if (signal !== undefined) checkSignal(signal);
  return new FetchSettings(
    timeout ?? defaultTimeout,
    signal,
    checkSeconds(ttl, "ttl", 0, Infinity),
    stale === undefined ? 0 : checkStale(stale),
    lease === undefined ? DEFAULT_LEASE : checkSeconds(lease, "lease", LEAST_LEASE, MOST_SECONDS),
    missTtl === undefined ? 0 : checkSeconds(missTtl, "missTtl", 0, Infinity),
  );
}

const NOT_GIVEN: Given<FetchOptions> = {
  timeout: undefined,
  signal: undefined,
  ttl: undefined,
  stale: undefined,
  lease: undefined,
  missTtl: undefined,
};

/**
 * Seconds in which an old value is served. They must end, since the mark of a winner that has died stays.
 */
export function checkStale(stale: unknown): number {
  return checkSeconds(stale, "stale", 0, MOST_SECONDS);
}

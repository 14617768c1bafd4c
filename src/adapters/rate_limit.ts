/**
 * A store for express-rate-limit.
 *
 * @example
 * ```typescript
 * import { rateLimit } from "express-rate-limit";
 * import { Memcached } from "memwire";
 * import { RateLimitStore } from "memwire/rate-limit";
 *
 * const client = new Memcached("localhost:11211");
 * app.use(rateLimit({ limit: 100, windowMs: 60_000, store: new RateLimitStore({ client }) }));
 * ```
 *
 * @module
 */
import process from "node:process";
import { readOptions } from "../checks/options.ts";
import { checkMs, oneOf } from "../checks/values.ts";
import type { Memcached } from "../client/memcached.ts";
import { invalidType, type MemcachedError } from "../errors.ts";
import { checkPrefix } from "../protocol/key.ts";
import { anyKey, checkAnyKey } from "./any_key.ts";
import { isUnreachable, UNAVAILABLE_STATUS } from "./visit.ts";

/** Options of a {@linkcode RateLimitStore}. */
export interface RateLimitStoreOptions {
  /** The client to use. The store never closes it. */
  client: Memcached;
  /** Put before every key. Each limiter needs its own prefix. Default "rl:". */
  prefix?: string | undefined;
  /**
   * What happens to a request that cannot be counted because memcached cannot be reached. "reject", the
   * default: the error goes to Express, with the status 503. "pass": the request passes, and the process gets
   * a warning (MEMWIRE_RATE_LIMIT), at most once in each window.
   */
  onUnavailable?: "pass" | "reject" | undefined;
}

/** How many requests a client has made in this window. */
export interface RateLimitInfo {
  /** Requests in this window, this one included. */
  totalHits: number;
  /** When the next window begins. */
  resetTime: Date;
}

/**
 * Counts requests for express-rate-limit, exactly, across all servers of an application. Windows begin at
 * multiples of `windowMs` since 1970, so all servers have the same windows as long as their clocks agree.
 *
 * @example
 * ```ts
 * import { Memcached } from "memwire";
 * import { RateLimitStore } from "memwire/rate-limit";
 *
 * const client = new Memcached("localhost:11211");
 * const store = new RateLimitStore({ client, prefix: "logins:" });
 * store.init({ windowMs: 60_000 }); // express-rate-limit does this
 * const { totalHits, resetTime } = await store.increment("127.0.0.1");
 * console.log(totalHits >= 1, resetTime > new Date()); // true true
 * await client.close();
 * ```
 */
export class RateLimitStore {
  /** false: counts are shared with other processes. */
  readonly localKeys: false = false;
  /** Put before every key. */
  readonly prefix: string;
  readonly #client: Memcached;
  readonly #toKey: (key: string) => string;
  readonly #passes: boolean;
  #windowMs: number | undefined;
  /** The window of the last warning that memcached cannot be reached. */
  #warned = -1;

  /** Checks the options, without connecting. Throws a `TypeError` for wrong ones. */
  constructor(options: RateLimitStoreOptions) {
    const { client, prefix = "rl:", onUnavailable = "reject" } = readOptions(options, {
      client: undefined,
      prefix: undefined,
      onUnavailable: undefined,
    });
    this.#toKey = anyKey(client as Memcached);
    this.#client = client as Memcached;
    this.prefix = checkPrefix(prefix, "prefix");
    this.#passes = oneOf(onUnavailable, ["pass", "reject"], "onUnavailable") === "pass";
  }

  /** express-rate-limit sets the length of a window, in ms. Throws a `TypeError` or `RangeError` for a wrong one. */
  init(options: { readonly windowMs: number }): void {
    this.#windowMs = checkMs(options.windowMs, "windowMs");
  }

  /** Resolves to this client's count in this window; undefined: no request yet. Rejects as the client does. */
  async get(key: string): Promise<RateLimitInfo | undefined> {
    const { name, resetTime } = this.#place(key);
    const hits = countOf(await this.#client.get(name));
    return hits === undefined ? undefined : { totalHits: hits, resetTime };
  }

  /** Counts a request. If it cannot be counted, rejects or resolves to one hit, as `onUnavailable` says. */
  async increment(key: string): Promise<RateLimitInfo> {
    const { name, resetTime, ttl } = this.#place(key);
    try {
      const hits = await this.#client.increment(name, 1, { initial: 1, ttl });
      return { totalHits: Number(hits), resetTime };
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      if (!this.#passes) throw Object.assign(error as MemcachedError, UNAVAILABLE_STATUS);
      this.#warn(error as MemcachedError);
      return { totalHits: 1, resetTime };
    }
  }

  /**
   * Subtracts one request from this window. If memcached cannot be reached, it rejects, or the request stays
   * counted, as `onUnavailable` says. express-rate-limit before version 8 does not catch the rejection.
   */
  async decrement(key: string): Promise<void> {
    try {
      await this.#client.decrement(this.#place(key).name);
    } catch (error) {
      if (!isUnreachable(error) || !this.#passes) throw error;
      this.#warn(error as MemcachedError);
    }
  }

  /** Resets this client's count in this window. Rejects as the client does. */
  async resetKey(key: string): Promise<void> {
    await this.#client.delete(this.#place(key).name);
  }

  #place(key: string): { name: string; resetTime: Date; ttl: number } {
    const windowMs = this.#windowMs;
    if (windowMs === undefined) throw invalidType("init must be called first, with windowMs");
    checkAnyKey(key);
    const now = Date.now();
    const window = Math.floor(now / windowMs);
    const end = (window + 1) * windowMs;
    return {
      name: this.#toKey(`${this.prefix}${key}:${window}`),
      resetTime: new Date(end),
      // Add a second: if a counter expired early, the rest of the window would start again at zero.
      ttl: Math.ceil((end - now) / 1000) + 1,
    };
  }

  #warn({ code }: MemcachedError): void {
    const window = Math.floor(Date.now() / (this.#windowMs as number));
    if (window === this.#warned) return;
    this.#warned = window;
    process.emitWarning(`memcached cannot be reached (${code}): requests are not counted exactly`, {
      type: "MemwireWarning",
      code: "MEMWIRE_RATE_LIMIT",
    });
  }
}

/** The count. With another table of values the client reads its digits as text or as bytes. */
function countOf(stored: unknown): number | undefined {
  if (stored === undefined) return undefined;
  return Number(stored instanceof Uint8Array ? new TextDecoder().decode(stored) : stored);
}

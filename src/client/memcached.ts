/** The public client. What each method does stands in its doc comment, how in the files beside this. */
import { parseServers, type ServerSpec } from "../address.ts";
import type { Discovery } from "../cluster/discovery.ts";
import { invalidType } from "../errors.ts";
import type { ServerRef } from "../server_ref.ts";
import { flushAll, stats, version } from "./admin.ts";
import { shareCore } from "./copies.ts";
import { Commands } from "./commands.ts";
import { Core, isDiscovery } from "./core.ts";
import { count } from "./counter.ts";
import { extend } from "./extend.ts";
import { fetch } from "./fetch/fetch.ts";
import { Flights } from "./fetch/flights.ts";
import { fetchMany } from "./fetch/many.ts";
import type { FetchOptions } from "./fetch/options.ts";
import { invalidate } from "./invalidate.ts";
import { keys } from "./key_list.ts";
import { deleteMany, getMany, setMany } from "./many.ts";
import {
  type CallOptions,
  type MemcachedOptions,
  resolveOptions,
  type StoreOptions,
} from "./options.ts";
import { getItem } from "./get_item.ts";
import type { Item } from "./item.ts";
import type { Lock } from "./held_lock.ts";
import { lock } from "./lock.ts";
import { update } from "./update.ts";
import type { ClientCodec } from "./values/codec.ts";
import { codecFor } from "./values/tables.ts";

/** Servers of a client that is given none. */
const DEFAULT_SERVERS = "localhost:11211";

/**
 * A client of a memcached cluster. Connects on first use.
 *
 * A miss is `undefined` or `false`, a refused condition is a value of the result type, everything else
 * rejects: a failure never looks like a miss.
 *
 * @example
 * ```ts
 * import { Memcached } from "memwire";
 *
 * const memcached = new Memcached("localhost:11211");
 * await memcached.set("greeting", "hello", { ttl: 60 });
 * console.log(await memcached.get("greeting")); // hello
 * await memcached.close();
 * ```
 */
export class Memcached implements AsyncDisposable {
  readonly #core: Core;
  readonly #codec: ClientCodec;
  // The `T` of a method is the caller's word for what is stored. Nothing can check it, so `as` takes it.
  readonly #commands: Commands<unknown>;
  readonly #flights: Flights;

  /**
   * Checks the servers and options; connects to nobody.
   * @param servers Server specifications; a string may name several, separated by commas or spaces. Default
   * "localhost:11211". Or a {@link Discovery}, which finds them from the first call on and keeps the list up to date.
   * @param options Defaults stand with {@link MemcachedOptions}.
   */
  constructor(
    servers: string | readonly ServerSpec[] | Discovery = DEFAULT_SERVERS,
    options?: MemcachedOptions,
  ) {
    const resolved = resolveOptions(options);
    this.#codec = codecFor(resolved);
    this.#core = new Core(isDiscovery(servers) ? servers : parseServers(servers), resolved);
    this.#commands = new Commands(this.#core, this.#codec);
    this.#flights = new Flights(this.#core, this.#codec);
    shareCore(this, this.#core);
  }

  /**
   * The value, or undefined when absent.
   *
   * @example `const cart = await memcached.get<Cart>("cart:17");`
   */
  get<T = unknown>(key: string, options?: CallOptions): Promise<T | undefined> {
    return this.#commands.get(key, options) as Promise<T | undefined>;
  }

  /**
   * What was found, by key; duplicates are asked once; no keys, no traffic.
   * Rejects with `PartialError` if a server could not be asked; its `results` has the rest.
   *
   * @example `const found = await memcached.getMany(["a", "b"]); found.get("a");`
   */
  getMany<T = unknown>(keys: Iterable<string>, options?: CallOptions): Promise<Map<string, T>> {
    return getMany<T>(this.#commands, keys, options);
  }

  /**
   * The value with its token, flags and TTL; `touch` (seconds) also sets a new TTL in the same round trip.
   *
   * @example `const item = await memcached.getItem("cart:17", { touch: 3600 });`
   */
  getItem<T = unknown>(
    key: string,
    options?: CallOptions & { touch?: number | undefined },
  ): Promise<Item<T> | undefined> {
    return getItem<T>(this.#commands, key, options);
  }

  /**
   * get and touch in one round trip; `ttl` in seconds.
   *
   * @example `const session = await memcached.getAndTouch("session:17", 1800);`
   */
  getAndTouch<T = unknown>(
    key: string,
    ttl: number,
    options?: CallOptions,
  ): Promise<T | undefined> {
    return this.#commands.getAndTouch(key, ttl, options) as Promise<T | undefined>;
  }

  /**
   * Whether the key is there; meta moves no value.
   *
   * @example `if (await memcached.has("lock:17")) return;`
   */
  has(key: string, options?: CallOptions): Promise<boolean> {
    return this.#commands.has(key, options);
  }

  /**
   * Stores whatever was there: last write wins.
   *
   * @example `await memcached.set("cart:17", { items: [3, 5] }, { ttl: 3600 });`
   */
  set(key: string, value: unknown, options?: StoreOptions): Promise<void> {
    return this.#commands.set(key, value, options);
  }

  /**
   * set for each entry (a Map will do), one batch a server.
   * Rejects with `PartialError`, which names the keys that failed.
   *
   * @example `await memcached.setMany(new Map([["a", 1], ["b", 2]]), { ttl: 60 });`
   */
  setMany(
    entries: Iterable<readonly [key: string, value: unknown]>,
    options?: StoreOptions,
  ): Promise<void> {
    return setMany(this.#commands, entries, options);
  }

  /**
   * Stores if absent; false: it was there. What is there can be a stub, while another client computes
   * the value: then `get` finds nothing, and `add` is false all the same.
   *
   * @example `if (!await memcached.add("lock:17", "me", { ttl: 10 })) return;`
   */
  add(key: string, value: unknown, options?: StoreOptions): Promise<boolean> {
    return this.#commands.add(key, value, options);
  }

  /**
   * Stores if there; false: absent.
   *
   * @example `await memcached.replace("motd", "closed today");`
   */
  replace(key: string, value: unknown, options?: StoreOptions): Promise<boolean> {
    return this.#commands.replace(key, value, options);
  }

  /**
   * Adds text or bytes at the end, TTL and flags as they were; false: absent.
   *
   * @example `await memcached.append("log", "one more line\n");`
   */
  append(key: string, data: string | Uint8Array, options?: CallOptions): Promise<boolean> {
    return extend(this.#commands, "append", key, data, options);
  }

  /**
   * The same at the front.
   *
   * @example `await memcached.prepend("log", "the first line\n");`
   */
  prepend(key: string, data: string | Uint8Array, options?: CallOptions): Promise<boolean> {
    return extend(this.#commands, "prepend", key, data, options);
  }

  /**
   * Stores if nobody wrote since `cas` was read; "exists": somebody did.
   * Rejects with UnsupportedError for the token 0n, which a server gives that keeps none (`-C`).
   *
   * @example `await memcached.cas("stock", item.value - 1, item.cas);`
   */
  cas(
    key: string,
    value: unknown,
    cas: bigint,
    options?: StoreOptions,
  ): Promise<"stored" | "exists" | "missing"> {
    return this.#commands.cas(key, value, cas, options);
  }

  /**
   * Deletes; true: was there. After a retry false can mean that the first attempt did it.
   *
   * @example `await memcached.delete("cart:17");`
   */
  delete(key: string, options?: CallOptions): Promise<boolean> {
    return this.#commands.delete(key, options);
  }

  /**
   * Deletes if nobody wrote since `cas` was read.
   *
   * @example `await memcached.compareAndDelete("job:17", item.cas);`
   */
  compareAndDelete(
    key: string,
    cas: bigint,
    options?: CallOptions,
  ): Promise<"deleted" | "exists" | "missing"> {
    return this.#commands.compareAndDelete(key, cas, options);
  }

  /**
   * Deletes each key; true or false for each, as {@link Memcached.delete} has it.
   *
   * @example `const deleted = await memcached.deleteMany(["a", "b"]);`
   */
  deleteMany(keys: Iterable<string>, options?: CallOptions): Promise<Map<string, boolean>> {
    return deleteMany(this.#core, keys, options);
  }

  /**
   * Sets a new TTL in seconds; false: absent. A stub, which stands while another client computes the
   * value, is absent too and keeps its TTL (classic servers do not tell it from a value: true).
   *
   * @example `await memcached.touch("session:17", 1800);`
   */
  touch(key: string, ttl: number, options?: CallOptions): Promise<boolean> {
    return this.#commands.touch(key, ttl, options);
  }

  /**
   * Counts up; the new count, exact to 2^64 - 1, where it wraps; undefined: absent and no `initial`.
   * `ttl` applies only when the counter is made.
   *
   * @example `const hits = await memcached.increment("hits", 1, { initial: 1, ttl: 60 });`
   */
  increment(
    key: string,
    delta: number | bigint = 1,
    options?: StoreOptions & { initial?: number | bigint | undefined },
  ): Promise<bigint | undefined> {
    return count(this.#core, this.#codec, "increment", key, delta, options);
  }

  /**
   * Counts down, and stops at 0.
   *
   * @example `const left = await memcached.decrement("seats", 2);`
   */
  decrement(
    key: string,
    delta: number | bigint = 1,
    options?: StoreOptions & { initial?: number | bigint | undefined },
  ): Promise<bigint | undefined> {
    return count(this.#core, this.#codec, "decrement", key, delta, options);
  }

  /**
   * Read, change, add or cas, again after a conflict (at most 100 times, short random pauses, within
   * the deadline), then ConflictError. `fn` may run more than once; undefined from it writes nothing.
   * Resolves to what is then stored.
   *
   * @example `await memcached.update<number>("stock", (n) => (n ?? 0) + 1);`
   */
  update<T = unknown>(
    key: string,
    fn: (current: T | undefined) => T | undefined | Promise<T | undefined>,
    options?: StoreOptions,
  ): Promise<T | undefined> {
    return update(this.#commands, key, fn, options);
  }

  /**
   * The value, else what `load` makes of it, loaded once: in this client, and by a lease in the whole
   * cluster. undefined from `load` means that there is none.
   *
   * Callers of one key share the load and the value that it gives, so do not change that. What is
   * invalidated, deleted or overwritten while it is being loaded is returned to its callers and not stored.
   * If the cache cannot be used, `load` runs, once in this client, and nothing is stored. `timeout` counts
   * the cache's commands, not `load`, and not the waiting for another's; `signal` rejects this caller, and
   * the signal that `load` is given aborts when nobody waits any more. `load` must not fetch its own key: it
   * would wait for itself.
   *
   * Rejects with what `load` has rejected with, unless an old value is there; with UnsupportedError on a
   * server that keeps no tokens (`-C`); with CorruptValueError if what is stored cannot be read.
   *
   * @param key Not to be touched, appended or prepended to by hand.
   * @param load Is given the old value, if there is one, and a signal.
   * @param options `ttl` at least, in seconds.
   *
   * @example
   * ```ts
   * import { Memcached } from "memwire";
   *
   * const memcached = new Memcached("localhost:11211");
   * const price = await memcached.fetch("price:tea", () => 3.5, { ttl: 60, stale: 30 });
   * console.log(price); // 3.5
   * await memcached.close();
   * ```
   */
  fetch<T>(
    key: string,
    load: (
      context: { stale: T | undefined; signal: AbortSignal },
    ) => T | undefined | Promise<T | undefined>,
    options: FetchOptions,
  ): Promise<T | undefined> {
    return fetch(this.#flights, key, load, options);
  }

  /**
   * fetch for many keys: one round trip for what is there, and one `load` for all that this call must load.
   * It is given those keys, and a key that it leaves out has no value. What others load is waited for. The
   * keys of a server that fails are loaded, not failed. Rejects as {@link Memcached.fetch} does, for any key.
   *
   * @example
   * ```ts
   * import { Memcached } from "memwire";
   *
   * const memcached = new Memcached("localhost:11211");
   * const lengths = await memcached.fetchMany(
   *   ["tea", "coffee"],
   *   async (missing) => new Map(missing.map((name) => [name, name.length])),
   *   { ttl: 60 },
   * );
   * console.log(lengths.get("tea")); // 3
   * await memcached.close();
   * ```
   */
  fetchMany<T>(
    keys: Iterable<string>,
    load: (missing: readonly string[]) => Promise<ReadonlyMap<string, T>>,
    options: FetchOptions,
  ): Promise<Map<string, T>> {
    return fetchMany(this.#flights, keys, load, options);
  }

  /**
   * A lock for `ttl` seconds, at least 2; undefined: another held it for all of `wait` ms (default 0, not
   * counted by `timeout`). It makes doing the same work twice rare, no more: an eviction or a restart of the
   * server loses it, and a holder that is stopped for longer than `ttl` goes on without it. What must never
   * happen twice needs a check where it takes effect.
   *
   * @example
   * ```ts
   * import { Memcached } from "memwire";
   *
   * const memcached = new Memcached("localhost:11211");
   * const lock = await memcached.lock("report:17", { ttl: 30, wait: 500 });
   * if (lock !== undefined) {
   *   try {
   *     // make the report; `lock.signal` aborts a second before the lock ends
   *   } finally {
   *     await lock.release();
   *   }
   * }
   * await memcached.close();
   * ```
   */
  lock(
    key: string,
    options: CallOptions & { ttl: number; wait?: number | undefined },
  ): Promise<Lock | undefined> {
    return lock(this.#core, key, options);
  }

  /**
   * Deletes, so that what is being loaded from the old state is not stored either; true: was there. With
   * `stale` (seconds) the old value is kept for so long, and served by `fetch` while one caller loads; `get`
   * returns it too. On a classic server that is a plain delete.
   *
   * @example `await memcached.invalidate("price:tea", { stale: 30 });`
   */
  invalidate(
    key: string,
    options?: CallOptions & { stale?: number | undefined },
  ): Promise<boolean> {
    return invalidate(this.#core, key, options);
  }

  /**
   * Empties all servers, after `delay` seconds if given.
   * Rejects with UnsupportedError where a server refuses (`-F`, or a proxy).
   *
   * @example `await memcached.flushAll();`
   */
  flushAll(options?: CallOptions & { delay?: number | undefined }): Promise<void> {
    return flushAll(this.#core, options);
  }

  /**
   * What each server counts, by server id; integers up to 2^53 are numbers, all else text.
   *
   * @example `const { evictions } = (await memcached.stats()).get("127.0.0.1")!;`
   */
  stats(
    kind?: "items" | "slabs" | "settings" | "sizes" | "conns" | "reset",
    options?: CallOptions,
  ): Promise<Map<string, Record<string, string | number>>> {
    return stats(this.#core, kind, options);
  }

  /**
   * Keys now stored, roughly, from `lru_crawler metadump`; UnsupportedError where a server refuses.
   * Keys that are not UTF-8 are left out.
   *
   * @example `for await (const key of memcached.keys({ prefix: "cart:" })) console.log(key);`
   */
  keys(options?: {
    /** What the keys begin with, after the client's own prefix. */
    prefix?: string | undefined;
    /** Ends the list with `signal.reason`. */
    signal?: AbortSignal | undefined;
  }): AsyncIterableIterator<string> {
    return keys(this.#core, options);
  }

  /**
   * What each server says of its version, by server id.
   *
   * @example `const versions = await memcached.version();`
   */
  version(options?: CallOptions): Promise<Map<string, string>> {
    return version(this.#core, options);
  }

  /**
   * Where the key belongs, whether or not that server is up; no traffic. Throws a ServerDownError while a
   * Discovery has found no servers yet.
   *
   * @example `memcached.serverFor("cart:17").address;`
   */
  serverFor(key: string): ServerRef {
    return this.#core.cluster.serverFor(this.#core.wireKey(key)).ref;
  }

  /**
   * New list from the next call on; connections to servers that stay are kept, those removed finish
   * what is in flight and close. Throws a `TypeError` for a malformed list, and on a client whose servers a
   * Discovery finds.
   *
   * @example `memcached.setServers("10.0.0.1,10.0.0.2");`
   */
  setServers(servers: string | readonly ServerSpec[]): void {
    this.#core.checkOpen();
    if (this.#core.discovers) {
      throw invalidType("setServers: the servers of this client are found by its Discovery");
    }
    this.#core.cluster.setServers(parseServers(servers));
  }

  /** New calls reject with ClosedError; resolves when what is in flight has settled and the sockets are closed. */
  close(): Promise<void> {
    return this.#core.close();
  }

  /** {@link Memcached.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

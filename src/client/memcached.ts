/** The public client. The doc comment of a method says what it does; the files beside this one do it. */
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

/** The servers of a client that is given none. */
const DEFAULT_SERVERS = "localhost:11211";

/**
 * A client of a memcached cluster. It connects on first use.
 *
 * A miss is `undefined` or `false`, a condition that does not hold is a value of the result type, and
 * everything else rejects: a failure never looks like a miss.
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
   * Checks the servers and options. It does not connect yet.
   *
   * @param servers The servers. A string may name several, separated by commas or spaces. Default
   * "localhost:11211". Or a {@link Discovery}, which finds them from the first call on and keeps the list
   * up to date.
   * @param options The {@link MemcachedOptions}, which have the defaults.
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
   * The values that were found, by key. A key that is given twice is sent once, and without keys nothing
   * is sent. Rejects with `PartialError` if a server could not be asked; its `results` has the other
   * values.
   *
   * @example `const found = await memcached.getMany(["a", "b"]); found.get("a");`
   */
  getMany<T = unknown>(keys: Iterable<string>, options?: CallOptions): Promise<Map<string, T>> {
    return getMany<T>(this.#commands, keys, options);
  }

  /**
   * The value with its token, flags and ttl. `touch` (seconds) also sets a new ttl in the same round
   * trip.
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
   * The value, which gets a new ttl in the same round trip; `ttl` in seconds.
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
   * Whether the key is there. In the meta dialect its value is not sent.
   *
   * @example `if (await memcached.has("lock:17")) return;`
   */
  has(key: string, options?: CallOptions): Promise<boolean> {
    return this.#commands.has(key, options);
  }

  /**
   * Stores the value, whatever was there: the last write wins.
   *
   * @example `await memcached.set("cart:17", { items: [3, 5] }, { ttl: 3600 });`
   */
  set(key: string, value: unknown, options?: StoreOptions): Promise<void> {
    return this.#commands.set(key, value, options);
  }

  /**
   * set for each entry, of a Map for example, with one batch for each server. Rejects with
   * `PartialError`, which holds the keys that failed.
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
   * Stores the value if the key is absent; false: it was there. It may be a stub, while another client
   * computes the value: then `get` finds nothing, and `add` is still false.
   *
   * @example `if (!await memcached.add("lock:17", "me", { ttl: 10 })) return;`
   */
  add(key: string, value: unknown, options?: StoreOptions): Promise<boolean> {
    return this.#commands.add(key, value, options);
  }

  /**
   * Stores the value if the key is there; false: it was absent.
   *
   * @example `await memcached.replace("motd", "closed today");`
   */
  replace(key: string, value: unknown, options?: StoreOptions): Promise<boolean> {
    return this.#commands.replace(key, value, options);
  }

  /**
   * Adds text or bytes at the end, and keeps the ttl and flags; false: the key is absent.
   *
   * @example `await memcached.append("log", "one more line\n");`
   */
  append(key: string, data: string | Uint8Array, options?: CallOptions): Promise<boolean> {
    return extend(this.#commands, "append", key, data, options);
  }

  /**
   * Adds text or bytes at the front, and keeps the ttl and flags; false: the key is absent.
   *
   * @example `await memcached.prepend("log", "the first line\n");`
   */
  prepend(key: string, data: string | Uint8Array, options?: CallOptions): Promise<boolean> {
    return extend(this.#commands, "prepend", key, data, options);
  }

  /**
   * Stores the value if nobody has written since `cas` was read; "exists": somebody has. Rejects with
   * UnsupportedError for the token 0n, which a server gives if it keeps no tokens (`-C`).
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
   * Deletes the key; true: it was there. After a retry, false can mean that the first attempt has deleted
   * it.
   *
   * @example `await memcached.delete("cart:17");`
   */
  delete(key: string, options?: CallOptions): Promise<boolean> {
    return this.#commands.delete(key, options);
  }

  /**
   * Deletes the key if nobody has written since `cas` was read; "exists": somebody has.
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
   * Deletes each key. The result has true or false for each, as {@link Memcached.delete} returns it.
   *
   * @example `const deleted = await memcached.deleteMany(["a", "b"]);`
   */
  deleteMany(keys: Iterable<string>, options?: CallOptions): Promise<Map<string, boolean>> {
    return deleteMany(this.#core, keys, options);
  }

  /**
   * Sets a new ttl in seconds; false: the key is absent. A stub, which is there while another client
   * computes the value, counts as absent and keeps its ttl. Classic servers cannot tell it from a value:
   * there the result is true.
   *
   * @example `await memcached.touch("session:17", 1800);`
   */
  touch(key: string, ttl: number, options?: CallOptions): Promise<boolean> {
    return this.#commands.touch(key, ttl, options);
  }

  /**
   * Counts up. Resolves to the new count, which is exact up to 2^64 - 1 and wraps there; undefined: the
   * key is absent and there is no `initial`. `ttl` applies only when the counter is made.
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
   * Counts down, but not below 0.
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
   * Reads the value, lets `fn` change it, and stores the result by add or cas. After a conflict it does
   * so again, at most 100 times within the deadline and with short random pauses, then it rejects with
   * ConflictError. `fn` may run more than once. If it returns undefined, nothing is written. Resolves to
   * the value that is then stored.
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
   * The value; if there is none, the one that `load` returns. It is loaded only once in this client, and
   * by a lease only once in the whole cluster. undefined from `load` means that there is no value.
   *
   * Callers of one key share the load and its value, so do not change the value. If the key is
   * invalidated, deleted or overwritten during the load, the callers get the loaded value, but it is not
   * stored. If the cache cannot be used, `load` runs, once in this client, and nothing is stored.
   * `timeout` limits the cache's commands, not `load` and not the wait for another loader. `signal`
   * rejects this caller, and the signal that `load` gets aborts when nobody waits any more. `load` must
   * not fetch its own key: it would wait for itself.
   *
   * Rejects with the error of `load`, unless there is an old value; with UnsupportedError on a server
   * that keeps no tokens (`-C`); with CorruptValueError if the stored value cannot be read.
   *
   * @param key Do not touch it, append to it or prepend to it yourself.
   * @param load Gets the old value, if there is one, and a signal.
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
   * fetch for many keys: one round trip for the values that are there, and one `load` for all keys that
   * this call must load. `load` gets those keys, and a key that it leaves out has no value. For keys that
   * others load, the call waits. If a server fails, its keys are loaded too. For any of the keys it
   * rejects as {@link Memcached.fetch} does.
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
    load: (
      missing: readonly string[],
    ) => ReadonlyMap<string, T> | Promise<ReadonlyMap<string, T>>,
    options: FetchOptions,
  ): Promise<Map<string, T>> {
    return fetchMany(this.#flights, keys, load, options);
  }

  /**
   * A lock for `ttl` seconds, at least 2; undefined: another holder had it for all of `wait` milliseconds
   * (default 0, not counted by `timeout`). It only makes it rare that the same work is done twice: an
   * eviction or a restart of the server loses the lock, and a holder that is stopped for longer than
   * `ttl` goes on without it. Work that must never be done twice needs a check where it takes effect.
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
   * Deletes the key, so that a value that is being loaded from the old state is not stored either; true:
   * it was there. With `stale` (seconds) the old value is kept for that long, and `fetch` serves it while
   * one caller loads; `get` returns it too. On a classic server that is a plain delete.
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
   * Empties all servers, after `delay` seconds if that is given. Rejects with UnsupportedError if a
   * server refuses (`-F`, or a proxy).
   *
   * @example `await memcached.flushAll();`
   */
  flushAll(options?: CallOptions & { delay?: number | undefined }): Promise<void> {
    return flushAll(this.#core, options);
  }

  /**
   * The statistics of each server, by its id. Integers up to 2^53 are numbers, everything else is text.
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
   * Roughly the keys that are stored now, from `lru_crawler metadump`. Rejects with UnsupportedError if a
   * server refuses. Keys that are not UTF-8 are left out.
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
   * The version of each server, by its id.
   *
   * @example `const versions = await memcached.version();`
   */
  version(options?: CallOptions): Promise<Map<string, string>> {
    return version(this.#core, options);
  }

  /**
   * The server that the key belongs to, whether or not it is up. Nothing is sent. Throws a
   * ServerDownError while a Discovery has found no servers yet.
   *
   * @example `memcached.serverFor("cart:17").address;`
   */
  serverFor(key: string): ServerRef {
    return this.#core.cluster.serverFor(this.#core.wireKey(key)).ref;
  }

  /**
   * Sets a new list of servers, from the next call on. Servers that stay keep their connections; those
   * that leave finish what is in flight, then their connections close. Throws a `TypeError` for a
   * malformed list, and on a client whose servers a Discovery finds.
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

  /**
   * Closes the client: new calls reject with ClosedError. Resolves when all calls in flight have settled
   * and the sockets are closed.
   */
  close(): Promise<void> {
    return this.#core.close();
  }

  /** {@link Memcached.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** The session store: ids become keys, values become records, each method is one command or a few. */
import { readOptions } from "../checks/options.ts";
import { coreOf } from "../client/copies.ts";
import type { Deadline } from "../client/deadline.ts";
import type { CallOptions, StoreOptions } from "../client/options.ts";
import { invalidType } from "../errors.ts";
import { type KeyList, Keys } from "./keys.ts";
import { Listing } from "./listing.ts";
import { Loader } from "./loading.ts";
import {
  type ResolvedStoreOptions,
  resolveStoreOptions,
  type SessionStoreOptions,
} from "./options.ts";
import { type Encoded, RecordCodec } from "./record.ts";
import { type CommandOptions, Records } from "./records.ts";
import { save } from "./saving.ts";
import { Session, stateOf } from "./session.ts";
import { optionsFromSettings, type WebwareSettings } from "./settings.ts";
import type { SessionHome } from "./state.ts";
import { updateRecord } from "./updating.ts";
import { addDefault, deleteValue, firstThere, popValue, saveValue, setValue } from "./values.ts";

/**
 * Sessions, or any values by id, in a memcached cluster. `V` is the type of a value; for Sessions it is
 * the type of the fields.
 *
 * An absent session is `undefined`; a server that cannot be reached rejects, so that a visitor is never
 * logged out because it blinked.
 *
 * @example
 * ```ts
 * import { SessionStore } from "memwire";
 *
 * const store = new SessionStore({ servers: "localhost:11211" });
 * const session = await store.open();
 * session.set("user", "ada");
 * await store.storeSession(session);
 * console.log((await store.open(session.id)).get("user")); // ada
 * await store.close();
 * ```
 */
export class SessionStore<V = Record<string, unknown>> implements AsyncDisposable {
  readonly #options: ResolvedStoreOptions;
  readonly #keys: Keys;
  readonly #records: Records;
  readonly #home: SessionHome;
  readonly #loader: Loader;
  readonly #listing: Listing<V>;

  /**
   * Checks the options; connects to nobody.
   *
   * @param options Defaults stand with {@link SessionStoreOptions}.
   */
  constructor(options?: SessionStoreOptions) {
    this.#options = resolveStoreOptions(options);
    const { client, namespace, seal, ttl, absoluteTtl, onIteration, serializer, maxBytes } =
      this.#options;
    const core = coreOf(client);
    const { prefix } = core.options;
    this.#keys = new Keys(namespace, seal, prefix);
    this.#records = new Records(core, new RecordCodec({ serializer, seal, maxBytes, prefix }));
    this.#home = { ttl, absoluteTtl, keysOf: (id) => this.#keys.lookup(id) };
    this.#loader = new Loader(this.#records, this.#keys, this.#home);
    this.#listing = new Listing({
      client,
      records: this.#records,
      namespace,
      hidden: seal !== undefined,
      onIteration,
    });
  }

  /**
   * A store with the seed's settings: server choice "python-memcached-1.59", lastWriteWins, alwaysSave.
   *
   * @param settings Webware for Python's settings.
   * @param options What is given here goes before the settings.
   */
  static fromSettings<V = Record<string, unknown>>(
    settings: WebwareSettings,
    options?: SessionStoreOptions,
  ): SessionStore<V> {
    return new SessionStore<V>(optionsFromSettings(settings, options));
  }

  /** The key handed to the client: namespace + id, with `secret` namespace + base64url(HMAC). TypeError for an illegal one. */
  mcKey(id: string): string {
    return this.#keys.of(id);
  }

  /**
   * The value, TTL untouched; of a Session its fields. An id that makes no legal key, the empty one
   * included, is absent without traffic here and in has, delete, pop, touch, load.
   */
  get(id: string, options?: CallOptions): Promise<V | undefined> {
    const value = this.#first<unknown>(
      id,
      options,
      undefined,
      (key, left) => this.#records.get(key, left),
    );
    return value as Promise<V | undefined>;
  }

  /** Last write wins, and it can bring back what was deleted: for sessions use storeSession. */
  set(id: string, value: V, options?: StoreOptions): Promise<void> {
    return this.#write(
      id,
      value,
      options,
      (keys, record, ttl, deadline) => setValue(this.#records, keys, record, ttl, deadline),
    );
  }

  /** Whether something is there. */
  has(id: string, options?: CallOptions): Promise<boolean> {
    return this.#first(id, options, false, (key, left) => this.#records.has(key, left));
  }

  /** One delete, no read, no `expiring()`; true: was there. */
  delete(id: string, options?: CallOptions): Promise<boolean> {
    return this.#records.run(
      options,
      (deadline) => deleteValue(this.#records, this.#keys.lookup(id), deadline),
    );
  }

  /** What is there, else `value`, stored by add: all callers get the same. */
  async setDefault(id: string, value: V, options?: StoreOptions): Promise<V> {
    const there = await this.#write(
      id,
      value,
      options,
      (keys, record, ttl, deadline) => addDefault(this.#records, keys, record, ttl, deadline),
    );
    return there === undefined ? value : there as V;
  }

  /** Takes it out; of several callers one gets it. */
  async pop(id: string, options?: CallOptions): Promise<V | undefined> {
    return await this.#records.run(
      options,
      (deadline) => popValue(this.#records, this.#keys.lookup(id), deadline),
    ) as V | undefined;
  }

  /** Sets the TTL anew, in seconds; default: the store's. false: absent. */
  touch(id: string, ttl: number = this.#home.ttl, options?: CallOptions): Promise<boolean> {
    return this.#first(id, options, false, (key, left) => this.#records.touch(key, ttl, left));
  }

  /** Reads, changes and writes by add or cas, again after a conflict: Memcached.update on the decoded value. */
  async update(
    id: string,
    fn: (current: V | undefined) => V | undefined | Promise<V | undefined>,
    options?: StoreOptions,
  ): Promise<V | undefined> {
    if (typeof fn !== "function") throw invalidType("update needs a function");
    const keys = this.#keys.writable(id);
    const call = this.#records.storeOptions(options);
    return await this.#records.run(
      call,
      (deadline) => updateRecord(this.#records, keys, fn, this.#home, call.ttl, deadline),
    );
  }

  /**
   * Value and version, TTL set anew in the same round trip (to the store's, or to the session's own by
   * a second command).
   */
  async load(
    id: string,
    options?: CallOptions,
  ): Promise<{ readonly value: V; readonly version: bigint; readonly ttl: number } | undefined> {
    const found = await this.#records.run(options, (left) => this.#loader.load(id, left));
    if (found === undefined) return undefined;
    const { item, ttl } = found;
    return { value: item.value.value as V, version: item.cas, ttl: ttl === 0 ? Infinity : ttl };
  }

  /**
   * With the version from load: cas; "gone" when deleted since, "conflict" when written since. Without:
   * add; "conflict" when the id is taken.
   *
   * What it stores is a plain value, without a Session's creation and own time to live: for a Session use
   * storeSession or update.
   */
  async save(
    id: string,
    value: V,
    options?: StoreOptions & { version?: bigint | undefined },
  ): Promise<"stored" | "conflict" | "gone"> {
    const { version, ...call } = readOptions<StoreOptions & { version?: bigint | undefined }>(
      options,
      { timeout: undefined, signal: undefined, ttl: undefined, version: undefined },
    );
    return await this.#write(id, value, call, async (keys, record, ttl, deadline) => {
      if (!this.#options.lastWriteWins) {
        return await saveValue(this.#records, keys, record, version, ttl, deadline);
      }
      await setValue(this.#records, keys, record, ttl, deadline);
      return "stored";
    });
  }

  /**
   * The session of this id, TTL set anew; a new, unsaved one under a new id when it is absent, past
   * absoluteTtl, undefined, null or not /^[A-Za-z0-9_.-]{1,128}$/ (no traffic). Unreachable: rejects.
   */
  open(id?: string | null, options?: CallOptions): Promise<Session<V>> {
    return this.#records.run(options, (deadline) => this.#loader.open<V>(id, deadline));
  }

  /**
   * Does what the session needs. New and empty: "unchanged", no traffic. New: add. Destroyed:
   * "deleted". Changed: cas; on a conflict the changed top-level fields go onto the fresh copy (5
   * times, then ConflictError). Unchanged: "unchanged", or with alwaysSave "touched". Deleted
   * elsewhere: "gone", never written again.
   *
   * After a write, or one whose outcome is unknown, the next call reads first and goes on only if the
   * bytes are those it wrote, else merges. If it rejects, the session is still dirty.
   */
  storeSession(
    session: Session<V>,
    options?: CallOptions,
  ): Promise<"stored" | "touched" | "unchanged" | "deleted" | "gone"> {
    return this.#records.run(options, (deadline) => {
      // One that another copy of this package has made is another store's too.
      if (!(session instanceof Session)) {
        throw invalidType("storeSession needs a Session of this store");
      }
      const state = stateOf(session);
      if (state.store !== this.#home) throw invalidType("the session is another store's");
      return save(this.#records, this.#options, state, deadline);
    });
  }

  /** The ids that are stored now, roughly; by `onIteration`. With `secret`: UnsupportedError. */
  keys(): AsyncIterableIterator<string> {
    return this.#listing.ids();
  }

  /** The ids with their values; by `onIteration`. With `secret`: UnsupportedError. */
  entries(): AsyncIterableIterator<[id: string, value: V]> {
    return this.#listing.entries();
  }

  /** How many there are, roughly; by `onIteration`. */
  size(): Promise<number> {
    return this.#listing.size();
  }

  /** Deletes what has this namespace, one by one; never flush_all. By `onIteration`. */
  clear(): Promise<void> {
    return this.#listing.clear();
  }

  /** Nothing: memcached expires sessions. */
  async cleanStaleSessions(): Promise<void> {}

  /** The seed's name for close(). */
  storeAllSessions(): Promise<void> {
    return this.close();
  }

  /** Closes the client, unless it was given. */
  async close(): Promise<void> {
    if (this.#options.ownsClient) await this.#options.client.close();
  }

  /** {@link SessionStore.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Asks under each key that the id may have, until something is there. */
  #first<T>(
    id: string,
    options: CallOptions | undefined,
    absent: T,
    ask: (key: string, options: CommandOptions) => Promise<T>,
  ): Promise<T> {
    const keys = this.#keys.lookup(id);
    if (keys.length === 1) return ask(keys[0] as string, options);
    return this.#records.run(
      options,
      (deadline) => firstThere(keys, absent, (key) => ask(key, deadline.left())),
    );
  }

  /** Runs an operation that writes; what it writes is encoded now. */
  async #write<T>(
    id: string,
    value: V,
    options: StoreOptions | undefined,
    operation: (keys: KeyList, record: Encoded, ttl: number, deadline: Deadline) => Promise<T>,
  ): Promise<T> {
    const keys = this.#keys.writable(id);
    const record = this.#records.codec.encodeValue(value);
    const call = this.#records.storeOptions(options);
    const ttl = call.ttl ?? this.#home.ttl;
    return await this.#records.run(call, (left) => operation(keys, record, ttl, left));
  }
}

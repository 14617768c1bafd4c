/** The session store: ids become keys, values become records, each method is one command or a few. */
import { coreOf } from "../client/memcached.ts";
import type { CallOptions, StoreOptions } from "../client/options.ts";
import type { Change } from "../client/update.ts";
import { ConflictError, invalidType } from "../errors.ts";
import { isOpenable } from "./id.ts";
import { Keys } from "./keys.ts";
import { Loader } from "./loading.ts";
import {
  type ResolvedStoreOptions,
  resolveStoreOptions,
  type SessionStoreOptions,
} from "./options.ts";
import { RecordCodec } from "./record.ts";
import { Records, type WriteOptions } from "./records.ts";
import { save, type Saved } from "./saving.ts";
import { makeSession, Session, type SessionHome, stateOf } from "./session.ts";
import { optionsFromSettings, type WebwareSettings } from "./settings.ts";
import { updateRecord } from "./updating.ts";

// Each further try means that somebody wrote in between.
const MAX_TRIES = 100;

/** What load resolves to. */
export interface Loaded<V> {
  /** The value; of a Session its fields. */
  readonly value: V;
  /** For save. */
  readonly version: bigint;
  /** Seconds to live from now, Infinity for ever. */
  readonly ttl: number;
}

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

  /**
   * Checks the options; connects to nobody.
   *
   * @param options Defaults stand with {@link SessionStoreOptions}.
   */
  constructor(options: SessionStoreOptions = {}) {
    this.#options = resolveStoreOptions(options);
    const { client, namespace, seal, ttl, absoluteTtl, serializer, maxBytes } = this.#options;
    const core = coreOf(client);
    const { prefix } = core.options;
    this.#keys = new Keys(namespace, seal, prefix);
    this.#records = new Records(core, new RecordCodec({ serializer, seal, maxBytes, prefix }));
    this.#home = { ttl, absoluteTtl, keysOf: (id) => this.#keys.lookup(id) };
    this.#loader = new Loader(this.#records, this.#keys, this.#home);
  }

  /**
   * A store with the seed's settings: server choice "python-memcached-1.59", lastWriteWins, alwaysSave.
   *
   * @param settings Webware for Python's settings.
   * @param options What is given here goes before the settings.
   */
  static fromSettings<V = Record<string, unknown>>(
    settings: WebwareSettings,
    options: SessionStoreOptions = {},
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
    const get = (key: string, left: CallOptions | undefined): Promise<V | undefined> =>
      this.#records.get(key, left) as Promise<V | undefined>;
    return this.#first(id, options, undefined, get);
  }

  /** Last write wins, and it can bring back what was deleted: for sessions use storeSession. */
  async set(id: string, value: V, options?: StoreOptions): Promise<void> {
    const [key, ...old] = this.#writable(id);
    const deadline = this.#records.deadline(options);
    await this.#records.set(key, value, this.#how(deadline.left(), options));
    // What stands under an old secret is out of date now.
    for (const oldKey of old) await this.#records.delete(oldKey, deadline.left());
  }

  /** Whether something is there. */
  has(id: string, options?: CallOptions): Promise<boolean> {
    return this.#first(id, options, false, (key, left) => this.#records.has(key, left));
  }

  /** One delete, no read, no `expiring()`; true: was there. */
  async delete(id: string, options?: CallOptions): Promise<boolean> {
    const deadline = this.#records.deadline(options);
    let deleted = false;
    for (const key of this.#keys.lookup(id)) {
      if (await this.#records.delete(key, deadline.left())) deleted = true;
    }
    return deleted;
  }

  /** What is there, else `value`, stored by add: all callers get the same. */
  async setDefault(id: string, value: V, options?: StoreOptions): Promise<V> {
    const [key, ...old] = this.#writable(id);
    const deadline = this.#records.deadline(options);
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      if (old.length > 0) {
        const there = await this.get(id, deadline.left());
        if (there !== undefined) return there;
      }
      if (await this.#records.add(key, value, this.#how(deadline.left(), options))) return value;
      const there = await this.get(id, deadline.left());
      if (there !== undefined) return there;
    }
    throw new ConflictError(`others kept adding and deleting: gave up after ${MAX_TRIES} tries`);
  }

  /** Takes it out; of several callers one gets it. */
  async pop(id: string, options?: CallOptions): Promise<V | undefined> {
    const deadline = this.#records.deadline(options);
    for (const key of this.#keys.lookup(id)) {
      for (let tries = 0;; tries++) {
        const item = await this.#records.read(key, deadline.left());
        if (item === undefined) break;
        const outcome = await this.#records.compareAndDelete(key, item.cas, deadline.left());
        if (outcome === "deleted") return item.value.value as V;
        if (outcome === "missing") break;
        if (tries === MAX_TRIES) throw new ConflictError("others kept writing the value");
      }
    }
    return undefined;
  }

  /** Sets the TTL anew, in seconds; default: the store's. false: absent. */
  touch(id: string, ttl: number = this.#home.ttl, options?: CallOptions): Promise<boolean> {
    return this.#first(id, options, false, (key, left) => this.#records.touch(key, ttl, left));
  }

  /** Reads, changes and writes by add or cas, again after a conflict: Memcached.update on the decoded value. */
  async update(id: string, fn: Change<V>, options?: StoreOptions): Promise<V | undefined> {
    return await updateRecord(this.#records, this.#writable(id), fn, this.#home, options);
  }

  /**
   * Value and version, TTL set anew in the same round trip (to the store's, or to the session's own by
   * a second command).
   */
  async load(id: string, options?: CallOptions): Promise<Loaded<V> | undefined> {
    const found = await this.#loader.load(id, this.#records.deadline(options));
    if (found === undefined) return undefined;
    const { item, ttl } = found;
    return { value: item.value.value as V, version: item.cas, ttl: ttl === 0 ? Infinity : ttl };
  }

  /**
   * With the version from load: cas; "gone" when deleted since, "conflict" when written since. Without:
   * add; "conflict" when the id is taken.
   */
  async save(
    id: string,
    value: V,
    options?: StoreOptions & { version?: bigint },
  ): Promise<"stored" | "conflict" | "gone"> {
    const [key, ...old] = this.#writable(id);
    if (this.#options.lastWriteWins) {
      await this.set(id, value, options);
      return "stored";
    }
    const deadline = this.#records.deadline(options);
    const version = options?.version;
    if (version === undefined) {
      for (const oldKey of old) {
        if (await this.#records.has(oldKey, deadline.left())) return "conflict";
      }
      const added = await this.#records.add(key, value, this.#how(deadline.left(), options));
      return added ? "stored" : "conflict";
    }
    for (const candidate of [key, ...old]) {
      const how = this.#how(deadline.left(), options);
      const outcome = await this.#records.cas(candidate, value, version, how);
      if (outcome !== "missing") return outcome === "stored" ? "stored" : "conflict";
    }
    return "gone";
  }

  /**
   * The session of this id, TTL set anew; a new, unsaved one under a new id when it is absent, past
   * absoluteTtl, undefined, null or not /^[A-Za-z0-9_.-]{1,128}$/ (no traffic). Unreachable: rejects.
   */
  async open(id?: string | null, options?: CallOptions): Promise<Session<V>> {
    const deadline = this.#records.deadline(options);
    this.#records.checkOpen();
    const found = isOpenable(id) ? await this.#loader.load(id, deadline) : undefined;
    if (found === undefined) return makeSession(this.#loader.newState());
    return makeSession(this.#loader.stateOf(id as string, found));
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
  async storeSession(session: Session<V>, options?: CallOptions): Promise<Saved> {
    if (!(session instanceof Session)) throw invalidType("storeSession needs a Session");
    const state = stateOf(session);
    if (state.store !== this.#home) throw invalidType("the session is another store's");
    return await save(this.#records, this.#options, state, this.#records.deadline(options));
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

  #writable(id: string): [string, ...string[]] {
    this.#keys.of(id);
    return this.#keys.lookup(id) as [string, ...string[]];
  }

  /** Asks under each key that the id may have, until something is there. */
  async #first<T>(
    id: string,
    options: CallOptions | undefined,
    absent: T,
    ask: (key: string, options: CallOptions | undefined) => Promise<T>,
  ): Promise<T> {
    const keys = this.#keys.lookup(id);
    if (keys.length === 1) return ask(keys[0] as string, options);
    const deadline = this.#records.deadline(options);
    for (const key of keys) {
      const found = await ask(key, deadline.left());
      if (found !== absent) return found;
    }
    return absent;
  }

  #how(left: CallOptions, options: StoreOptions | undefined): WriteOptions {
    return { ...left, ttl: options?.ttl ?? this.#home.ttl };
  }
}

/** The session store: ids become keys, values become records, each method is one command or a few. */
import type { Core } from "../client/core.ts";
import { Deadline } from "../client/deadline.ts";
import { coreOf } from "../client/memcached.ts";
import type { CallOptions, StoreOptions } from "../client/options.ts";
import * as result from "../client/results.ts";
import type { Item } from "../client/results.ts";
import { type Change, update } from "../client/update.ts";
import type { Finish } from "../connection/request.ts";
import { ConflictError, CorruptValueError, invalidType } from "../errors.ts";
import { Kind } from "../protocol/reply.ts";
import { isOpenable, newId } from "./id.ts";
import { Keys } from "./keys.ts";
import {
  type ResolvedStoreOptions,
  resolveStoreOptions,
  type SessionStoreOptions,
} from "./options.ts";
import { isPlainObject, RecordCodec, type Stocked } from "./record.ts";
import { type Saved, Saving } from "./saving.ts";
import {
  isPastEnd,
  makeSession,
  type Session,
  type SessionHome,
  type SessionState,
  stateOf,
  ttlOf,
} from "./session.ts";
import { optionsFromSettings, type WebwareSettings } from "./settings.ts";

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
  readonly #core: Core;
  readonly #keys: Keys;
  readonly #codec: RecordCodec;
  readonly #home: SessionHome;
  readonly #value: Finish<unknown>;

  /**
   * Checks the options; connects to nobody.
   *
   * @param options Defaults stand with {@link SessionStoreOptions}.
   */
  constructor(options: SessionStoreOptions = {}) {
    this.#options = resolveStoreOptions(options);
    const { client, namespace, seal, ttl, absoluteTtl, serializer, maxBytes } = this.#options;
    this.#core = coreOf(client);
    const { prefix } = this.#core.options;
    this.#keys = new Keys(namespace, seal, prefix);
    this.#codec = new RecordCodec({ serializer, seal, maxBytes, prefix });
    this.#home = { ttl, absoluteTtl, mcKey: (id) => this.mcKey(id) };
    this.#value = storedValue(this.#codec);
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
    return this.#first(
      id,
      options,
      undefined,
      (key, left) => this.#core.ask("get", key, this.#value, left) as Promise<V | undefined>,
    );
  }

  /** Last write wins, and it can bring back what was deleted: for sessions use storeSession. */
  async set(id: string, value: V, options?: StoreOptions): Promise<void> {
    const [key, ...old] = this.#writable(id);
    await this.#write("set", key, value, result.doneResult, options);
    // What stands under an old secret is out of date now.
    for (const oldKey of old) await this.#ask("delete", oldKey, options);
  }

  /** Whether something is there. */
  has(id: string, options?: CallOptions): Promise<boolean> {
    return this.#first(
      id,
      options,
      false,
      (key, left) => this.#core.ask("has", key, result.foundResult, left),
    );
  }

  /** One delete, no read, no `expiring()`; true: was there. */
  async delete(id: string, options?: CallOptions): Promise<boolean> {
    let deleted = false;
    for (const key of this.#keys.lookup(id)) {
      if (await this.#ask("delete", key, options)) deleted = true;
    }
    return deleted;
  }

  /** What is there, else `value`, stored by add: all callers get the same. */
  async setDefault(id: string, value: V, options?: StoreOptions): Promise<V> {
    const [key, ...old] = this.#writable(id);
    const deadline = new Deadline(this.#core, options);
    const ttl = options?.ttl;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      if (old.length > 0) {
        const there = await this.get(id, deadline.left());
        if (there !== undefined) return there;
      }
      const how = ttl === undefined ? deadline.left() : { ...deadline.left(), ttl };
      if (await this.#write("add", key, value, result.doneOrNotResult, how)) return value;
      const there = await this.get(id, deadline.left());
      if (there !== undefined) return there;
    }
    throw new ConflictError(`others kept adding and deleting: gave up after ${MAX_TRIES} tries`);
  }

  /** Takes it out; of several callers one gets it. */
  async pop(id: string, options?: CallOptions): Promise<V | undefined> {
    const deadline = new Deadline(this.#core, options);
    for (const key of this.#keys.lookup(id)) {
      for (let tries = 0;; tries++) {
        const item = await this.#read(key, deadline.left());
        if (item === undefined) break;
        const { cas, value } = item;
        const outcome = await this.#core.compareAndDelete(
          key,
          cas,
          result.compareAndDeleteResult,
          deadline.left(),
        );
        if (outcome === "deleted") return value.value as V;
        if (outcome === "missing") break;
        if (tries === MAX_TRIES) throw new ConflictError("others kept writing the value");
      }
    }
    return undefined;
  }

  /** Sets the TTL anew, in seconds; default: the store's. false: absent. */
  touch(id: string, ttl: number = this.#home.ttl, options?: CallOptions): Promise<boolean> {
    return this.#first(
      id,
      options,
      false,
      (key, left) => this.#core.ask("touch", key, result.doneOrNotResult, left, ttl),
    );
  }

  /** Reads, changes and writes by add or cas, again after a conflict: Memcached.update on the decoded value. */
  async update(id: string, fn: Change<V>, options?: StoreOptions): Promise<V | undefined> {
    if (typeof fn !== "function") throw invalidType("update needs a function");
    const [first, ...old] = this.#writable(id);
    let key = first;
    for (const candidate of old) {
      if (await this.#core.ask("has", candidate, result.foundResult, options)) key = candidate;
    }
    let stored: V | undefined;
    const change = async (current: unknown): Promise<unknown> => {
      const now = current as Stocked | undefined;
      const next = await fn(now?.value as V | undefined);
      stored = next === undefined ? now?.value as V | undefined : next;
      if (next === undefined || now?.session === undefined) return next;
      if (!isPlainObject(next)) throw invalidType("a session's fields must be an object");
      return this.#codec.encodeSession(next, now.session.createdAt, now.session.ttl);
    };
    await update(this.#core, key, change, this.#withTtl(options), this.#codec);
    return stored;
  }

  /**
   * Value and version, TTL set anew in the same round trip (to the store's, or to the session's own by
   * a second command).
   */
  async load(id: string, options?: CallOptions): Promise<Loaded<V> | undefined> {
    const found = await this.#load(id, new Deadline(this.#core, options));
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
    const version = options?.version;
    if (version === undefined) {
      for (const oldKey of old) {
        if (await this.#core.ask("has", oldKey, result.foundResult, options)) return "conflict";
      }
      const added = await this.#write("add", key, value, result.doneOrNotResult, options);
      return added ? "stored" : "conflict";
    }
    for (const candidate of [key, ...old]) {
      const outcome = await this.#write(
        "cas",
        candidate,
        value,
        result.casResult,
        options,
        version,
      );
      if (outcome !== "missing") return outcome === "stored" ? "stored" : "conflict";
    }
    return "gone";
  }

  /**
   * The session of this id, TTL set anew; a new, unsaved one under a new id when it is absent, past
   * absoluteTtl, undefined, null or not /^[A-Za-z0-9_.-]{1,128}$/ (no traffic). Unreachable: rejects.
   */
  async open(id?: string | null, options?: CallOptions): Promise<Session<V>> {
    const deadline = new Deadline(this.#core, options);
    this.#core.checkOpen();
    const found = isOpenable(id) ? await this.#load(id, deadline) : undefined;
    if (found === undefined) return makeSession(this.#newState());
    const { key, item } = found;
    const state = this.#stateOf(id as string, key, item.value);
    state.version = item.cas;
    return makeSession(state);
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
    const deadline = new Deadline(this.#core, options);
    const state = stateOf(session);
    try {
      return await new Saving(this.#core, this.#codec, this.#options, state, deadline).run();
    } catch (error) {
      state.dirty = true;
      throw error;
    }
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

  async #load(
    id: string,
    deadline: Deadline,
  ): Promise<{ key: string; item: Item<Stocked>; ttl: number } | undefined> {
    for (const key of this.#keys.lookup(id)) {
      const { ttl } = this.#home;
      const item = await this.#read(key, deadline.left(), ttl);
      if (item === undefined) continue;
      if (item.value.session === undefined) return { key, item, ttl };
      const state = this.#stateOf(id, key, item.value);
      if (isPastEnd(state)) {
        await this.#ask("delete", key, deadline.left());
        return undefined;
      }
      const own = ttlOf(state);
      if (own === ttl) return { key, item, ttl };
      const there = this.#core.ask("touch", key, result.doneOrNotResult, deadline.left(), own);
      return await there ? { key, item, ttl: own } : undefined;
    }
    return undefined;
  }

  #newState(): SessionState {
    const id = newId();
    return {
      id,
      key: this.mcKey(id),
      isNew: true,
      fields: {},
      createdAt: Date.now(),
      ownTtl: undefined,
      dirty: false,
      expired: false,
      destroyed: false,
      gone: false,
      base: undefined,
      version: undefined,
      written: undefined,
      moving: false,
      oldKeys: [],
      store: this.#home,
    };
  }

  #stateOf(id: string, foundKey: string, stocked: Stocked): SessionState {
    const { value, session, encoded } = stocked;
    if (!isPlainObject(value)) {
      throw new CorruptValueError("what is stored is not a session", { flags: encoded.flags });
    }
    const key = this.mcKey(id);
    return {
      ...this.#newState(),
      id,
      key,
      isNew: false,
      fields: value,
      createdAt: session?.createdAt ?? Date.now(),
      ownTtl: session?.ttl,
      base: encoded,
      // Found under an old secret: the next save moves it.
      moving: key !== foundKey,
      oldKeys: key === foundKey ? [] : [foundKey],
    };
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
    const deadline = new Deadline(this.#core, options);
    for (const key of keys) {
      const found = await ask(key, deadline.left());
      if (found !== absent) return found;
    }
    return absent;
  }

  #read(key: string, options: CallOptions, touch?: number): Promise<Item<Stocked> | undefined> {
    return this.#core.ask("gets", key, result.itemResult(this.#codec, touch), options, touch);
  }

  #ask(operation: "delete", key: string, options: CallOptions | undefined): Promise<boolean> {
    return this.#core.ask(operation, key, result.doneOrNotResult, options);
  }

  #write<T>(
    operation: "set" | "add" | "cas",
    key: string,
    value: unknown,
    finish: Finish<T>,
    options: StoreOptions | undefined,
    version?: bigint,
  ): Promise<T> {
    const how = this.#withTtl(options);
    return this.#core.store(operation, key, value, finish, how, version, this.#codec);
  }

  #withTtl(options: StoreOptions | undefined): StoreOptions {
    return { ...options, ttl: options?.ttl ?? this.#home.ttl };
  }
}

/** The value of what was read, without what only sessions need. */
function storedValue(codec: RecordCodec): Finish<unknown> {
  return (reply, request) =>
    reply.kind === Kind.value ? codec.decode(reply, request.key).value : undefined;
}

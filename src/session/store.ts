/** The session store: it turns ids into keys and values into records; each method is a few commands at most. */
import { Commands } from "../client/commands.ts";
import { coreOf } from "../client/copies.ts";
import type { Deadline } from "../client/deadline.ts";
import { type Core, storeExptime } from "../client/core.ts";
import type { CallOptions, CheckedOptions, StoreOptions } from "../client/options.ts";
import { checkChange, type Next, readChangeWrite } from "../client/update.ts";
import { ConflictError, invalidType } from "../errors.ts";
import { toExptime } from "../protocol/exptime.ts";
import { Ids } from "./ids.ts";
import { hasEnded, secondsToLive } from "./lifetime.ts";
import { Listing } from "./listing.ts";
import { newState, open, refresh } from "./opening.ts";
import {
  type ResolvedStoreOptions,
  resolveStoreOptions,
  type SessionStoreOptions,
} from "./options.ts";
import { type Encoded, isPlainObject, RecordCodec, type StoredRecord } from "./record.ts";
import { save } from "./saving.ts";
import { makeSession, Session, stateOf } from "./session.ts";
import { optionsFromSettings, type WebwareSettings } from "./settings.ts";
import type { Home } from "./state.ts";

// How often pop and setDefault try. Each further try means that somebody wrote in between.
const MAX_TRIES = 100;

/**
 * Keeps sessions, or any values by id, in a memcached cluster. `V` is the type of a value; for Sessions it
 * is the type of their fields.
 *
 * An absent session is `undefined`. If a server cannot be reached, the call rejects, so that no visitor is
 * logged out because a server blinked.
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
  readonly #home: Home;
  readonly #listing: Listing<V>;

  /**
   * Checks the options. It connects to no server yet; the first call does.
   *
   * @param options {@link SessionStoreOptions} states the defaults.
   */
  constructor(options?: SessionStoreOptions) {
    this.#options = resolveStoreOptions(options);
    this.#home = homeOf(this.#options);
    const { client, namespace, seal, onIteration } = this.#options;
    this.#listing = new Listing({
      client,
      home: this.#home,
      namespace,
      hidden: seal !== undefined,
      onIteration,
    });
  }

  /**
   * Makes a store that works as Webware does with these settings: hashing "python-memcached-1.59",
   * lastWriteWins, alwaysSave.
   *
   * @param settings The settings of Webware for Python.
   * @param options Options that take precedence over the settings.
   */
  static fromSettings<V = Record<string, unknown>>(
    settings: WebwareSettings,
    options?: SessionStoreOptions,
  ): SessionStore<V> {
    return new SessionStore<V>(optionsFromSettings(settings, options));
  }

  /**
   * Returns the key that the client gets for this id: namespace + id, or with a `secret` namespace +
   * base64url(SHA-256("memwire session id\\0" + namespace + "\\0" + id)), which does not depend on the secret.
   * Throws a `TypeError` for an illegal id. An id is legal, with or without `secret`, if namespace + id is a
   * legal key.
   */
  mcKey(id: string): string {
    return this.#home.ids.key(id);
  }

  /**
   * Reads the value, or the fields of a Session; the ttl stays as it is. For an id that makes no legal key,
   * such as the empty one, this method and has, delete, pop, touch and open report an absent value and send
   * nothing. They reject with a `TypeError` if the id is not a string.
   */
  get(id: string, options?: CallOptions): Promise<V | undefined> {
    const { commands } = this.#home;
    return this.#under(
      id,
      undefined,
      (key) => commands.get(key, options).then((stored) => this.#valueOf(stored)),
    );
  }

  /** Stores a value whatever is there. It can bring back a deleted session: use storeSession for sessions. */
  set(id: string, value: V, options?: StoreOptions): Promise<void> {
    return this.#write(
      id,
      value,
      options,
      (key, record, ttl, deadline) => this.#home.commands.set(key, record, deadline.options(ttl)),
    );
  }

  /** Whether a value is stored under this id. */
  has(id: string, options?: CallOptions): Promise<boolean> {
    return this.#under(id, false, (key) => this.#home.commands.has(key, options));
  }

  /** Deletes by one command, without reading or calling `expiring()`. Resolves to true if a value was there. */
  delete(id: string, options?: CallOptions): Promise<boolean> {
    return this.#under(id, false, (key) => this.#home.commands.delete(key, options));
  }

  /** Returns the stored value, or stores `value` by `add` if there is none. All callers get the same value. */
  setDefault(id: string, value: V, options?: StoreOptions): Promise<V> {
    const { commands } = this.#home;
    return this.#write(id, value, options, async (key, record, ttl, deadline) => {
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        if (await commands.add(key, record, deadline.options(ttl))) return value;
        const stored = await commands.get(key, deadline.options());
        if (stored === undefined) continue;
        if (isOver(stored, this.#home)) throw moved();
        return stored.value as V;
      }
      throw new ConflictError(`others kept adding and deleting: gave up after ${MAX_TRIES} tries`);
    });
  }

  /** Reads and deletes a value. If several callers do so at once, only one of them gets it. */
  pop(id: string, options?: CallOptions): Promise<V | undefined> {
    const { commands } = this.#home;
    const take = async (key: string, deadline: Deadline): Promise<V | undefined> => {
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        const item = await commands.getItem(key, deadline.options());
        const value = this.#valueOf(item?.value);
        if (item === undefined || value === undefined) return undefined;
        const outcome = await commands.compareAndDelete(key, item.cas, deadline.options());
        if (outcome !== "exists") return outcome === "deleted" ? value : undefined;
      }
      throw new ConflictError(`others kept writing the value: gave up after ${MAX_TRIES} tries`);
    };
    return this.#under(
      id,
      undefined,
      (key) => commands.core.run(options, (deadline) => take(key, deadline)),
    );
  }

  /**
   * Sets the ttl, in seconds; by default the store's, even for a session that has its own. Resolves to false
   * if the value is absent.
   */
  touch(id: string, ttl: number = this.#home.ttl, options?: CallOptions): Promise<boolean> {
    const { commands } = this.#home;
    const touch = async (key: string, deadline: Deadline): Promise<boolean> => {
      toExptime(ttl);
      // Look first: the marker of a session that has moved must not live longer.
      if (!await commands.has(key, deadline.options())) return false;
      const there = await refresh(this.#home, key, ttl, deadline);
      return there !== undefined && there !== "moved";
    };
    return this.#under(
      id,
      false,
      (key) => commands.core.run(options, (deadline) => touch(key, deadline)),
    );
  }

  /**
   * Does what `Memcached.update` does: reads, changes and writes by `add` or `cas`, and starts again after a
   * conflict. A Session stays a Session and keeps its creation time and its own ttl. If the session of this
   * id has moved to another one, `fn` gets undefined, its result is not written and the call rejects with
   * `ConflictError`.
   */
  async update(
    id: string,
    fn: (current: V | undefined) => V | undefined | Promise<V | undefined>,
    options?: StoreOptions,
  ): Promise<V | undefined> {
    checkChange(fn);
    const { commands, ids } = this.#home;
    const key = ids.key(id);
    const call = storeOptions(commands.core, options);
    return await commands.core.run(call, async (deadline) => {
      let current: V | undefined;
      const stored = await readChangeWrite(
        commands,
        key,
        deadline,
        (stored) => fn(current = this.#valueOf(stored)),
        (next, stored) => this.#next(next, stored, call.ttl),
      );
      return stored === undefined ? current : stored as V;
    });
  }

  /**
   * Opens the session of this id and sets its ttl again. If the session is absent or past absoluteTtl, or the
   * id is undefined, null or illegal (which sends nothing), it returns a new, unsaved session under a new id.
   * It takes one round trip, or two if more than a sixteenth of the ttl has passed; two in the classic
   * dialect. A lost command never leaves the session a wrong ttl. If the server cannot be reached, it rejects.
   */
  open(id?: string | null, options?: CallOptions): Promise<Session<V>> {
    return this.#home.commands.core.run(options, (deadline) => open<V>(this.#home, id, deadline));
  }

  /**
   * Makes a new, unsaved session and sends nothing. Give an id if your framework makes the ids itself. Throws
   * a `TypeError` for an illegal id.
   */
  create(id?: string): Session<V> {
    return makeSession(newState(this.#home, id));
  }

  /**
   * Stores the session as it is when the call is made, and resolves to what that took:
   *
   * - "stored": a new session was written by `add`, a changed one by `cas`. If somebody else has written
   *   meanwhile, the changed top-level fields are put into the fresh copy, fields that `Session.update`
   *   changed are computed again from it, and the write is tried again.
   * - "unchanged": nothing was sent, because the session has no changes, or is new and empty.
   * - "touched": with `alwaysSave`, the ttl of an unchanged session was set again.
   * - "deleted": the session was destroyed or has expired.
   * - "gone": the session was deleted or moved elsewhere, or is past absoluteTtl. Nothing was written.
   *
   * Rejects with `ConflictError` if the id of a new session is taken, or if others keep writing until the
   * deadline. After a rejection the session is still dirty and can be stored again, even if the server lost
   * the old copy when it refused the new one. After any write, the next call reads first; it goes on if the
   * bytes are the ones that it wrote, and merges if not.
   */
  storeSession(
    session: Session<V>,
    options?: CallOptions,
  ): Promise<"stored" | "touched" | "unchanged" | "deleted" | "gone"> {
    return this.#home.commands.core.run(options, (deadline) => {
      // A Session that another copy of this package has made belongs to another store too.
      if (!(session instanceof Session)) {
        throw invalidType("storeSession needs a Session of this store");
      }
      const state = stateOf(session);
      if (state.home !== this.#home) throw invalidType("the session belongs to another store");
      return save(state, deadline);
    });
  }

  /**
   * Lists roughly the ids that are stored now, if `onIteration` allows it. Rejects with UnsupportedError if the
   * store has a `secret`.
   */
  keys(): AsyncIterableIterator<string> {
    return this.#listing.ids();
  }

  /** Lists the ids with their values, under the same conditions as {@link SessionStore.keys}. */
  entries(): AsyncIterableIterator<[id: string, value: V]> {
    return this.#listing.entries();
  }

  /** Counts roughly the stored values, if `onIteration` allows it. */
  size(): Promise<number> {
    return this.#listing.size();
  }

  /** Deletes the keys of this namespace one by one, never by flush_all, if `onIteration` allows it. */
  clear(): Promise<void> {
    return this.#listing.clear();
  }

  /** Does nothing, because memcached expires sessions itself. Webware calls it. */
  async cleanStaleSessions(): Promise<void> {}

  /** Closes the store, as {@link SessionStore.close} does. This is Webware's name for it. */
  storeAllSessions(): Promise<void> {
    return this.close();
  }

  /** Closes the client if the store has made it; a client that was given stays open. */
  async close(): Promise<void> {
    if (this.#options.ownsClient) await this.#options.client.close();
  }

  /** Does what {@link SessionStore.close} does, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Runs a call under the id's key, or resolves to `absent` for an id that makes no legal key. */
  #under<T>(id: string, absent: T, call: (key: string) => Promise<T>): Promise<T> {
    try {
      const key = this.#home.ids.find(id);
      return key === undefined ? Promise.resolve(absent) : call(key);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Returns the value; undefined if there is none, only a marker, or a Session past its absolute end. */
  #valueOf(stored: StoredRecord | undefined): V | undefined {
    if (stored === undefined || isOver(stored, this.#home)) return undefined;
    return stored.value as V | undefined;
  }

  /** Makes what update stores. Throws rather than write over a marker or a Session past its absolute end. */
  #next(next: unknown, stored: StoredRecord | undefined, ttl: number | undefined): Next {
    const { codec } = this.#home;
    if (stored !== undefined && isOver(stored, this.#home)) throw moved();
    const session = stored?.session;
    if (session === undefined) {
      return { value: codec.encodeValue(next), ttl: ttl ?? this.#home.ttl };
    }
    if (!isPlainObject(next)) throw invalidType("a session's fields must be a plain object");
    return {
      value: codec.encodeSession({ ...session, fields: next }),
      ttl: ttl ?? secondsToLive(session.ttl, session.createdAt, this.#home),
    };
  }

  /** Runs an operation that writes a value. The value is encoded at the call, before anything is awaited. */
  async #write<T>(
    id: string,
    value: V,
    options: StoreOptions | undefined,
    operation: (key: string, record: Encoded, ttl: number, deadline: Deadline) => Promise<T>,
  ): Promise<T> {
    const { commands, codec, ids } = this.#home;
    const key = ids.key(id);
    const record = codec.encodeValue(value);
    const call = storeOptions(commands.core, options);
    const { ttl = this.#home.ttl } = call;
    return await commands.core.run(call, (deadline) => operation(key, record, ttl, deadline));
  }
}

/** Makes what the store's sessions share. */
function homeOf(options: ResolvedStoreOptions): Home {
  const { client, namespace, seal, ttl, absoluteTtl, serializer, maxBytes } = options;
  const { alwaysSave, lastWriteWins } = options;
  const core = coreOf(client);
  const { prefix, unsafeKeys } = core.options;
  const codec = new RecordCodec({ serializer, seal, maxBytes, prefix });
  return {
    commands: new Commands<StoredRecord>(core, codec),
    codec,
    ids: new Ids(namespace, seal !== undefined, prefix, unsafeKeys === "hash"),
    ttl,
    absoluteTtl,
    alwaysSave,
    lastWriteWins,
  };
}

/** Whether what was read counts as absent: it is a marker, or a session past its absolute end. */
function isOver({ marker, session }: StoredRecord, home: Home): boolean {
  return marker || (session !== undefined && hasEnded(session.createdAt, home));
}

function moved(): ConflictError {
  return new ConflictError("the session of this id has moved to another id or has just ended");
}

/** Checks the options of a call that writes, its ttl included. */
function storeOptions(core: Core, options: StoreOptions | undefined): CheckedOptions {
  const checked = core.storeOptions(options);
  storeExptime(checked);
  return checked;
}

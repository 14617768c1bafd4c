/** The session store: ids become keys, values become records, each method is one command or a few. */
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
import { type Encoded, isPlainObject, RecordCodec, type Stocked } from "./record.ts";
import { save } from "./saving.ts";
import { makeSession, Session, stateOf } from "./session.ts";
import { optionsFromSettings, type WebwareSettings } from "./settings.ts";
import type { Home } from "./state.ts";

// Of pop and setDefault: each further try means that somebody wrote in between.
const MAX_TRIES = 100;

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
  readonly #home: Home;
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
    const { alwaysSave, lastWriteWins } = this.#options;
    const core = coreOf(client);
    const { prefix } = core.options;
    const codec = new RecordCodec({ serializer, seal, maxBytes, prefix });
    this.#home = {
      commands: new Commands<Stocked>(core, codec),
      codec,
      ids: new Ids(namespace, seal !== undefined, prefix),
      ttl,
      absoluteTtl,
      alwaysSave,
      lastWriteWins,
    };
    this.#listing = new Listing({
      client,
      home: this.#home,
      namespace,
      hidden: seal !== undefined,
      onIteration,
    });
  }

  /**
   * A store with Webware's settings: server choice "python-memcached-1.59", lastWriteWins, alwaysSave.
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

  /**
   * The key handed to the client: namespace + id; with `secret` namespace + base64url(SHA-256("memwire
   * session id\\0" + namespace + "\\0" + id)), whatever the secret. Throws a `TypeError` for an illegal id:
   * one is legal if namespace + id is a legal key, with and without `secret`.
   */
  mcKey(id: string): string {
    return this.#home.ids.key(id);
  }

  /**
   * The value, TTL untouched; of a Session its fields. An id that makes no legal key, the empty one
   * included, is absent without traffic here and in has, delete, pop, touch and open.
   */
  get(id: string, options?: CallOptions): Promise<V | undefined> {
    const { commands, ids } = this.#home;
    const key = ids.find(id);
    if (key === undefined) return Promise.resolve(undefined);
    return commands.get(key, options).then((stocked) => this.#valueOf(stocked));
  }

  /** Last write wins, and it can bring back what was deleted: for sessions use storeSession. */
  set(id: string, value: V, options?: StoreOptions): Promise<void> {
    return this.#write(
      id,
      value,
      options,
      (key, record, ttl, deadline) => this.#home.commands.set(key, record, deadline.left(ttl)),
    );
  }

  /** Whether something is there. */
  has(id: string, options?: CallOptions): Promise<boolean> {
    const { commands, ids } = this.#home;
    const key = ids.find(id);
    return key === undefined ? Promise.resolve(false) : commands.has(key, options);
  }

  /** One delete, no read, no `expiring()`; true: was there. */
  delete(id: string, options?: CallOptions): Promise<boolean> {
    const { commands, ids } = this.#home;
    const key = ids.find(id);
    return key === undefined ? Promise.resolve(false) : commands.delete(key, options);
  }

  /** What is there, else `value`, stored by add: all callers get the same. */
  setDefault(id: string, value: V, options?: StoreOptions): Promise<V> {
    const { commands } = this.#home;
    return this.#write(id, value, options, async (key, record, ttl, deadline) => {
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        if (await commands.add(key, record, deadline.left(ttl))) return value;
        const stocked = await commands.get(key, deadline.left());
        if (stocked?.marker) throw moved();
        if (stocked !== undefined) return stocked.value as V;
      }
      throw new ConflictError(`others kept adding and deleting: gave up after ${MAX_TRIES} tries`);
    });
  }

  /** Takes it out; of several callers one gets it. */
  pop(id: string, options?: CallOptions): Promise<V | undefined> {
    const { commands, ids } = this.#home;
    const key = ids.find(id);
    if (key === undefined) return Promise.resolve(undefined);
    return commands.core.run(options, async (deadline) => {
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        const item = await commands.getItem(key, deadline.left());
        const value = this.#valueOf(item?.value);
        if (item === undefined || value === undefined) return undefined;
        const outcome = await commands.compareAndDelete(key, item.cas, deadline.left());
        if (outcome !== "exists") return outcome === "deleted" ? value : undefined;
      }
      throw new ConflictError(`others kept writing the value: gave up after ${MAX_TRIES} tries`);
    });
  }

  /** Sets the TTL, in seconds; default: the store's, also for a session with its own. false: absent. */
  touch(id: string, ttl: number = this.#home.ttl, options?: CallOptions): Promise<boolean> {
    const { commands, ids } = this.#home;
    const key = ids.find(id);
    if (key === undefined) return Promise.resolve(false);
    return commands.core.run(options, async (deadline) => {
      toExptime(ttl);
      // First a look: the marker of a session that has moved must not live longer.
      if (!await commands.has(key, deadline.left())) return false;
      const there = await refresh(this.#home, key, ttl, deadline);
      return there !== undefined && there !== "moved";
    });
  }

  /**
   * Memcached.update on the decoded value: reads, changes and writes by add or cas, again after a conflict.
   * A Session stays one, with its creation and its own ttl. Where a session has moved away from this id,
   * `fn` gets undefined, and what it returns is not written: `ConflictError`.
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
        (stocked) => fn(current = this.#valueOf(stocked)),
        (next, stocked) => this.#next(next, stocked, call.ttl),
      );
      return stored === undefined ? current : stored as V;
    });
  }

  /**
   * The session of this id, TTL set anew; a new, unsaved one under a new id when it is absent, past
   * absoluteTtl, undefined, null or no legal id (no traffic). One round trip, two when more than a
   * sixteenth of its TTL has passed (classic: always two). A lost command never changes how long a session
   * has. Unreachable: rejects.
   */
  open(id?: string | null, options?: CallOptions): Promise<Session<V>> {
    return this.#home.commands.core.run(options, (deadline) => open<V>(this.#home, id, deadline));
  }

  /**
   * A new, unsaved session; under this id for a framework that makes ids itself. No traffic. Throws a
   * `TypeError` for an illegal id.
   */
  create(id?: string): Session<V> {
    return makeSession(newState(this.#home, id));
  }

  /**
   * Does what the session needs. New and empty: "unchanged", no traffic. New: add; `ConflictError` if the
   * id is taken. Destroyed: "deleted". Changed: cas; on a conflict the changed top-level fields go onto the
   * fresh copy, those changed by `Session.update` are computed again from it, and so on until the deadline,
   * then `ConflictError`. Unchanged: "unchanged", or with alwaysSave "touched". Deleted elsewhere: "gone",
   * never written again.
   *
   * What is written is the session as it is when the call is made. After a write, or one whose outcome is
   * unknown, the next call reads first and goes on only if the bytes are those it wrote, else merges. If it
   * rejects, the session is still dirty and can be stored again, also after a refusal by which the server
   * lost the old copy.
   */
  storeSession(
    session: Session<V>,
    options?: CallOptions,
  ): Promise<"stored" | "touched" | "unchanged" | "deleted" | "gone"> {
    return this.#home.commands.core.run(options, (deadline) => {
      // One that another copy of this package has made belongs to another store too.
      if (!(session instanceof Session)) {
        throw invalidType("storeSession needs a Session of this store");
      }
      const state = stateOf(session);
      if (state.home !== this.#home) throw invalidType("the session belongs to another store");
      return save(state, deadline);
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

  /** Webware's name for close(). */
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

  /** A value; undefined where nothing is, a marker stands, or a Session is past its absolute end. */
  #valueOf(stocked: Stocked | undefined): V | undefined {
    if (stocked === undefined || isOver(stocked, this.#home)) return undefined;
    return stocked.value as V | undefined;
  }

  /** What update stores; it never writes over what a move or a passed absoluteTtl has left. */
  #next(next: unknown, stocked: Stocked | undefined, ttl: number | undefined): Next {
    const { codec } = this.#home;
    if (stocked !== undefined && isOver(stocked, this.#home)) throw moved();
    const session = stocked?.session;
    if (session === undefined) {
      return { value: codec.encodeValue(next), ttl: ttl ?? this.#home.ttl };
    }
    if (!isPlainObject(next)) throw invalidType("a session's fields must be an object");
    return {
      value: codec.encodeSession({ ...session, fields: next }),
      ttl: ttl ?? secondsToLive(session.ttl, session.createdAt, this.#home),
    };
  }

  /** Runs an operation that writes; what it writes is encoded now. */
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

/** Whether what was read is no value: a marker, or a session past its absolute end. */
function isOver({ marker, session }: Stocked, home: Home): boolean {
  return marker || (session !== undefined && hasEnded(session.createdAt, home));
}

function moved(): ConflictError {
  return new ConflictError("a session that was here has moved to another id, or has just ended");
}

/** The options of a call that writes, checked. Throws. */
function storeOptions(core: Core, options: StoreOptions | undefined): CheckedOptions {
  const checked = core.storeOptions(options);
  storeExptime(checked);
  return checked;
}

/**
 * A store for express-session, for NestJS, which uses it, and for `@fastify/session`.
 *
 * @example
 * ```typescript
 * import express from "express";
 * import session from "express-session";
 * import { Memcached } from "memwire";
 * import { createMemwireStore } from "memwire/express";
 *
 * const MemwireStore = createMemwireStore(session);
 * const store = new MemwireStore({ client: new Memcached("localhost:11211") });
 * const app = express();
 * app.use(session({ store, secret: "keep this one", resave: false, saveUninitialized: false }));
 * ```
 *
 * @module
 */
import { readOptions } from "../checks/options.ts";
import { checkBoolean, kindOf } from "../checks/values.ts";
import type { Memcached } from "../client/memcached.ts";
import { nextTick } from "../connection/clock.ts";
import { invalidRange, invalidType } from "../errors.ts";
import { checkPrefix } from "../protocol/key.ts";
import { SessionStore } from "../session/store.ts";
import {
  changeLife,
  changeSession,
  copyChanges,
  isOver,
  type Lifetime,
  lifetimeOf,
  type LifetimeRules,
  readView,
  setView,
  shownFields,
  type StoredCookie,
  type StoredSession,
  type View,
  viewOf,
} from "./express_session.ts";
import { checkStore, isUnreachable, UNAVAILABLE_STATUS } from "./visit.ts";

export type { StoredCookie, StoredSession };

/** Options of a store for express-session. */
export interface ExpressStoreOptions {
  /** Where the sessions are kept: with a secret, for example. Its namespace is put before each id. */
  store?: SessionStore | undefined;
  /** Or a client, for a store of its own with `prefix` as its namespace; one of the two must be given. */
  client?: Memcached | undefined;
  /** Put before every id. Only with `client`; default "sess:". */
  prefix?: string | undefined;
  /**
   * Seconds that a session lives whose cookie has no end of its own; default 86_400 with `client`, else the
   * store's. A function is asked for every session, whatever its cookie says; 0 or less from it deletes the
   * session.
   */
  ttl?: number | ((session: StoredSession) => number) | undefined;
  /** A session ends when its time is over, counted from when it was last changed. Default false. */
  disableTouch?: boolean | undefined;
}

/** What a method calls back with. */
export type ExpressCallback<T> = (error: unknown, result?: T) => void;

/** The store's methods. Each takes a callback, and returns a promise without one. */
export interface ExpressStore {
  /** The session; null when it is absent or has ended. */
  get(id: string): Promise<StoredSession | null>;
  /** The same, for a callback. */
  get<S = StoredSession>(id: string, callback: ExpressCallback<S | null>): void;
  /**
   * Stores the session for its cookie's `originalMaxAge` or, if that is no number, until the cookie ends. With
   * `@fastify/session` an earlier end that the application has given the cookie ends it too. If it has ended,
   * the session is deleted. One that `get` has read is merged with what others have written since, field by
   * field. If it has ended or was destroyed meanwhile, it stays so. Any other session replaces what is there.
   */
  set(id: string, session: object): Promise<void>;
  /** The same, for a callback. */
  set(id: string, session: object, callback: ExpressCallback<void> | undefined): void;
  /** Sets how long the session lives, as `set` does, unless reading it has done that in this request. */
  touch(id: string, session: object): Promise<void>;
  /** The same, for a callback. */
  touch(id: string, session: object, callback: ExpressCallback<void> | undefined): void;
  /** Deletes the session. */
  destroy(id: string): Promise<void>;
  /** The same, for a callback. */
  destroy(id: string, callback: ExpressCallback<void> | undefined): void;
  /** All sessions, roughly, each with its `id`. */
  all(): Promise<StoredSession[]>;
  /** The same, for a callback. */
  all(callback: ExpressCallback<StoredSession[]>): void;
  /** The ids of all sessions, roughly. */
  ids(): Promise<string[]>;
  /** The same, for a callback. */
  ids(callback: ExpressCallback<string[]>): void;
  /** How many sessions there are, roughly. */
  length(): Promise<number>;
  /** The same, for a callback. */
  length(callback: ExpressCallback<number>): void;
  /** Deletes all sessions of this prefix or namespace, one by one. */
  clear(): Promise<void>;
  /** The same, for a callback. */
  clear(callback: ExpressCallback<void> | undefined): void;
}

/** What the framework's own Store class makes; nothing if its types do not say. */
export type FrameworkStore<S> = S extends { Store: abstract new (...args: never[]) => infer Made }
  ? Made
  : unknown;

/** What we use of the framework's Store. Only express-session's has these methods. */
interface Base {
  createSession?(request: unknown, data: object): object;
  generate?(request: unknown): void;
}

/** A request, as express-session hands it over. */
interface SessionRequest {
  readonly sessionID: string;
}

/** How often a session is written that others keep deleting and making. */
const MAX_TRIES = 10;

/**
 * Makes a store class for express-session, NestJS or `@fastify/session`.
 *
 * A session that two requests change at the same time keeps both changes, as far as they are of different
 * top-level fields, and a slow request does not bring a session back that was destroyed meanwhile. Sessions
 * are stored as JSON would have them: a Date comes back as a string. An error of the store goes to the
 * framework as it is; one that says that memcached cannot be reached has the `status` 503.
 *
 * `all`, `ids`, `length` and `clear` list the servers' keys, if the store's `onIteration` is "scan", as it is
 * with `client`.
 *
 * @param session The framework's module: what `import session from "express-session"` gives. The class extends
 * its `Store`.
 * @returns The class. Its constructor throws a `TypeError` or `RangeError` for wrong options.
 *
 * @example
 * ```ts
 * import { EventEmitter } from "node:events";
 * import { SessionStore } from "memwire";
 * import { createMemwireStore } from "memwire/express";
 *
 * const session = { Store: EventEmitter }; // import session from "express-session";
 * const MemwireStore = createMemwireStore(session);
 * const sealed = new SessionStore({ servers: "localhost:11211", secret: "sixteen bytes or more" });
 * const store = new MemwireStore({ store: sealed });
 * await store.set("id", { cookie: {}, user: "ada" });
 * console.log((await store.get("id"))?.["user"]); // ada
 * await sealed.close();
 * ```
 */
export function createMemwireStore<S extends { Store: unknown }>(
  session: S,
): new (options: ExpressStoreOptions) => ExpressStore & FrameworkStore<S> {
  const { Store } = (session ?? {}) as { Store?: unknown };
  if (typeof Store !== "function") {
    throw invalidType("createMemwireStore needs the module of express-session or @fastify/session");
  }

  class MemwireStore extends (Store as new () => Base) {
    readonly #store: SessionStore;
    readonly #rules: LifetimeRules;

    constructor(options: ExpressStoreOptions) {
      super();
      const { store, ttl, disableTouch } = resolve(options);
      this.#store = store;
      this.#rules = { ttl, disableTouch, hasOwnEnds: super.createSession === undefined };
    }

    get(id: string, callback?: ExpressCallback<StoredSession | null>): unknown {
      return answer(this.#get(id), callback);
    }

    set(id: string, session: object, callback?: ExpressCallback<void>): unknown {
      return answer(this.#set(id, session as StoredSession), callback);
    }

    touch(id: string, session: object, callback?: ExpressCallback<void>): unknown {
      return answer(this.#touch(id, session as StoredSession), callback);
    }

    destroy(id: string, callback?: ExpressCallback<void>): unknown {
      return answer(this.#destroy(id), callback);
    }

    all(callback?: ExpressCallback<StoredSession[]>): unknown {
      return answer(this.#all(), callback);
    }

    ids(callback?: ExpressCallback<string[]>): unknown {
      return answer(this.#ids(), callback);
    }

    length(callback?: ExpressCallback<number>): unknown {
      return answer(this.#store.size(), callback);
    }

    clear(callback?: ExpressCallback<void>): unknown {
      return answer(this.#store.clear(), callback);
    }

    /** express-session's: the session that the request gets knows what `get` has read. */
    override createSession(request: unknown, data: object): object {
      const session = super.createSession?.(request, data) as object;
      const view = viewOf(data);
      if (view !== undefined) setView(session, view);
      return session;
    }

    /** express-session's; but if the old session cannot be deleted, the request keeps it. */
    regenerate(request: SessionRequest, callback: (error?: unknown) => void): void {
      this.destroy(request.sessionID, (error) => {
        if (!error) this.generate?.(request);
        callback(error);
      });
    }

    async #get(id: string): Promise<StoredSession | null> {
      const handle = await this.#store.open(id);
      if (handle.isNew || isOver(handle)) return null;
      const { session, view } = readView(handle, super.createSession === undefined);
      setView(session, view);
      return session;
    }

    async #set(id: string, session: StoredSession): Promise<void> {
      const life = lifetimeOf(session, this.#rules);
      if (life === undefined) return await this.#end(id, session, "fields");
      const known = viewOf(session);
      if (known?.handle.id === id) {
        if (isOver(known.handle) && await this.#hasEnded(id)) return;
        changeSession(known, session, life);
        await this.#store.storeSession(known.handle); // "gone": it has ended, and stays so
        return;
      }
      setView(session, await this.#replace(id, session, life));
    }

    /** Writes a session that was not read here; what is there is overwritten. */
    async #replace(id: string, session: StoredSession, life: Lifetime): Promise<View> {
      for (let tries = 1;; tries++) {
        const handle = this.#store.create(id);
        const made: View = { handle, seen: new Map(), life: undefined, since: Date.now() };
        changeSession(made, session, life);
        try {
          await this.#store.storeSession(handle);
          return made;
        } catch (error) {
          if ((error as { code?: unknown }).code !== "CONFLICT" || tries === MAX_TRIES) throw error;
        }
        const there = await this.#store.open(id);
        if (there.isNew) continue;
        const { view } = readView(there, false);
        changeSession(view, session, life);
        if (await this.#store.storeSession(there) !== "gone") return view;
      }
    }

    async #touch(id: string, session: StoredSession): Promise<void> {
      if (this.#rules.disableTouch) return;
      const life = lifetimeOf(session, this.#rules);
      if (life === undefined) return await this.#end(id, session, "cookie");
      let view = viewOf(session);
      if (view?.handle.id !== id) {
        const handle = await this.#store.open(id);
        if (handle.isNew || isOver(handle)) return;
        view = readView(handle, false).view;
      } else if (isOver(view.handle) && await this.#hasEnded(id)) return;
      changeLife(view, session, life);
      await this.#store.storeSession(view.handle);
    }

    /**
     * Deletes a session that has ended for this request. But another one may have given it a later end meanwhile: then
     * it lives, with what this request has changed.
     */
    async #end(id: string, session: StoredSession, what: "cookie" | "fields"): Promise<void> {
      const known = viewOf(session);
      if (known?.handle.id !== id) return await this.#destroy(id);
      const stored = await this.#get(id);
      if (stored === null) return;
      copyChanges(known, session, stored, what);
      const life = lifetimeOf(stored, this.#rules);
      if (life === undefined) return await this.#destroy(id);
      const { handle } = viewOf(stored) as View;
      changeSession(viewOf(stored) as View, stored, life);
      await this.#store.storeSession(handle);
    }

    /** Whether a session has ended: another request may have given it a later end than this one has read. */
    async #hasEnded(id: string): Promise<boolean> {
      const fields = await this.#store.get(id);
      return fields === undefined || shownFields(fields) === undefined;
    }

    async #destroy(id: string): Promise<void> {
      await this.#store.delete(id);
    }

    async #all(): Promise<StoredSession[]> {
      const sessions: StoredSession[] = [];
      for await (const [id, fields] of this.#store.entries()) {
        const session = shownFields(fields);
        if (session !== undefined) sessions.push({ ...session, id });
      }
      return sessions;
    }

    async #ids(): Promise<string[]> {
      const ids: string[] = [];
      for await (const id of this.#store.keys()) ids.push(id);
      return ids;
    }
  }

  return MemwireStore as unknown as new (
    options: ExpressStoreOptions,
  ) => ExpressStore & FrameworkStore<S>;
}

interface Resolved {
  readonly store: SessionStore;
  readonly ttl: number | ((session: StoredSession) => number);
  readonly disableTouch: boolean;
}

function resolve(options: ExpressStoreOptions): Resolved {
  const { store, client, prefix, ttl, disableTouch = false } = readOptions<ExpressStoreOptions>(
    options,
    {
      store: undefined,
      client: undefined,
      prefix: undefined,
      ttl: undefined,
      disableTouch: undefined,
    },
  );
  if ((store === undefined) === (client === undefined)) {
    throw invalidType("a session store needs either client or store");
  }
  if (store !== undefined) checkStore(store);
  if (store !== undefined && prefix !== undefined) {
    throw invalidType("prefix cannot be combined with store: use the store's namespace");
  }
  if (ttl !== undefined && typeof ttl !== "function") {
    if (typeof ttl !== "number") {
      throw invalidType(`ttl must be a number of seconds or a function, not ${kindOf(ttl)}`);
    }
    if (!(ttl > 0)) throw invalidRange(`ttl must be more than 0 seconds, not ${ttl}`);
  }
  const kept = store ?? new SessionStore({
    client,
    namespace: prefix === undefined ? "sess:" : checkPrefix(prefix, "prefix"),
    ttl: typeof ttl === "number" ? ttl : 86_400,
    onIteration: "scan",
  });
  return {
    store: kept,
    ttl: ttl ?? (kept.create().ttl || Infinity), // a store's 0 means for ever, and here 0 has ended
    disableTouch: checkBoolean(disableTouch, "disableTouch"),
  };
}

/**
 * Calls back outside the promise: what a callback throws is no rejection, nor a reason to call it again. In this
 * tick still, not in an immediate, because after each immediate what it has written leaves by itself.
 */
function answer<T>(
  work: Promise<T>,
  callback: ExpressCallback<T> | undefined,
): Promise<T> | undefined {
  const done = work.catch((error: unknown) => {
    throw isUnreachable(error) ? Object.assign(error as Error, UNAVAILABLE_STATUS) : error;
  });
  if (callback === undefined) return done;
  done.then(
    (result) => nextTick(() => callback(null, result)),
    (error: unknown) => nextTick(() => callback(error)),
  );
  return undefined;
}

/** Reading a session, or any value, with its version, its time to live set anew on the way. */
import type { Deadline } from "../client/deadline.ts";
import type { Item } from "../client/item.ts";
import { CorruptValueError } from "../errors.ts";
import { isOpenable, newId } from "./id.ts";
import type { Keys } from "./keys.ts";
import { hasEnded, secondsToLive } from "./lifetime.ts";
import { isPlainObject, type Stocked } from "./record.ts";
import type { Records } from "./records.ts";
import { makeSession, type Session } from "./session.ts";
import { type SessionHome, SessionState } from "./state.ts";

/** What was found, under one of the keys that its id may have. */
export interface Found {
  readonly key: string;
  /** The one that is written. */
  readonly ownKey: string;
  readonly item: Item<Stocked>;
  /** Seconds, as set now; 0: for ever. */
  readonly ttl: number;
}

/** Looks ids up. */
export class Loader {
  readonly #records: Records;
  readonly #keys: Keys;
  readonly #home: SessionHome;

  constructor(records: Records, keys: Keys, home: SessionHome) {
    this.#records = records;
    this.#keys = keys;
    this.#home = home;
  }

  /** What stands there; a session past its absolute end is deleted, and absent. */
  async load(id: string, deadline: Deadline): Promise<Found | undefined> {
    const { ttl } = this.#home;
    const keys = this.#keys.lookup(id);
    const ownKey = keys[0] as string;
    for (const key of keys) {
      const item = await this.#records.read(key, deadline.left(), ttl);
      if (item === undefined) continue;
      const { session } = item.value;
      if (session === undefined) return { key, ownKey, item, ttl };
      if (hasEnded(session.createdAt, this.#home)) {
        await this.#records.delete(key, deadline.left());
        return undefined;
      }
      const own = secondsToLive(session.ttl, session.createdAt, this.#home);
      if (own === ttl) return { key, ownKey, item, ttl };
      const there = await this.#records.touch(key, own, deadline.left());
      return there ? { key, ownKey, item, ttl: own } : undefined;
    }
    return undefined;
  }

  /** The session of the id; a new one if it is absent, or no id that a session can have. */
  async open<F>(id: unknown, deadline: Deadline): Promise<Session<F>> {
    if (!isOpenable(id)) return makeSession(this.#newState());
    const found = await this.load(id, deadline);
    return makeSession(found === undefined ? this.#newState() : this.#stateOf(id, found));
  }

  #stateOf(id: string, { key, ownKey, item }: Found): SessionState {
    const { value, session, encoded } = item.value;
    if (!isPlainObject(value)) {
      throw new CorruptValueError("what is stored is not a session", { flags: encoded.flags });
    }
    const state = new SessionState(this.#home, id, ownKey);
    state.isNew = false;
    state.fresh = false;
    state.fields = value;
    state.base = encoded;
    state.version = item.cas;
    if (session !== undefined) {
      state.createdAt = session.createdAt;
      state.ownTtl = session.ttl;
    }
    if (key !== ownKey) { // made of an old secret: the next save moves it
      state.moving = "secret";
      state.old.set(key, undefined);
    }
    return state;
  }

  #newState(): SessionState {
    const id = newId();
    return new SessionState(this.#home, id, this.#keys.of(id));
  }
}

/** Reading a session, or any value, with its version, its time to live set anew on the way. */
import type { Deadline } from "../client/deadline.ts";
import type { Item } from "../client/item.ts";
import { CorruptValueError } from "../errors.ts";
import { newId } from "./id.ts";
import type { Keys } from "./keys.ts";
import { hasEnded, secondsToLive } from "./lifetime.ts";
import { isPlainObject, type Stocked } from "./record.ts";
import type { Records } from "./records.ts";
import type { SessionHome, SessionState } from "./session.ts";

/** What was found, under one of the keys that its id may have. */
export interface Found {
  readonly key: string;
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
    for (const key of this.#keys.lookup(id)) {
      const item = await this.#records.read(key, deadline.left(), ttl);
      if (item === undefined) continue;
      const { session } = item.value;
      if (session === undefined) return { key, item, ttl };
      if (hasEnded(session.createdAt, this.#home)) {
        await this.#records.delete(key, deadline.left());
        return undefined;
      }
      const own = secondsToLive(session.ttl, session.createdAt, this.#home);
      if (own === ttl) return { key, item, ttl };
      const there = await this.#records.touch(key, own, deadline.left());
      return there ? { key, item, ttl: own } : undefined;
    }
    return undefined;
  }

  /** The state of the session that was found under the id. */
  stateOf(id: string, { key: foundKey, item }: Found): SessionState {
    const { value, session, encoded } = item.value;
    if (!isPlainObject(value)) {
      throw new CorruptValueError("what is stored is not a session", { flags: encoded.flags });
    }
    const key = this.#keys.of(id);
    return {
      ...this.#blank(id, key),
      isNew: false,
      fields: value,
      createdAt: session?.createdAt ?? Date.now(),
      ownTtl: session?.ttl,
      base: encoded,
      version: item.cas,
      fresh: false,
      // Found under an old secret: the next save moves it.
      moving: key === foundKey ? undefined : "secret",
      old: new Map(key === foundKey ? [] : [[foundKey, undefined]]),
    };
  }

  /** The state of a new session. */
  newState(): SessionState {
    const id = newId();
    return this.#blank(id, this.#keys.of(id));
  }

  #blank(id: string, key: string): SessionState {
    return {
      id,
      key,
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
      fresh: true,
      moving: undefined,
      old: new Map(),
      saves: 0,
      saving: undefined,
      store: this.#home,
    };
  }
}

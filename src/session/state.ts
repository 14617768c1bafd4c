/** What a session is made of: its fields, and what is known of the copy in memcached. For the store alone. */
import type { Lifetimes } from "./lifetime.ts";
import type { Encoded } from "./record.ts";

/** What a session needs to know of its store. */
export interface SessionHome extends Lifetimes {
  /** The keys of an id: the one to write, then those made of older secrets. */
  keysOf(id: string): string[];
}

/** A copy that was read, to be deleted once the session stands elsewhere. */
export interface Copied {
  readonly version: bigint;
  readonly record: Encoded;
}

/** What storeSession did. */
export type Saved = "stored" | "touched" | "unchanged" | "deleted" | "gone";

/** A session, new as long as nothing else is noted. */
export class SessionState {
  readonly store: SessionHome;
  #old: Map<string, Copied | undefined> | undefined;
  id: string;
  /** The id's mcKey. */
  key: string;
  isNew = true;
  fields: Record<string, unknown> = {};
  createdAt: number = Date.now();
  /** Seconds; undefined: the store's. */
  ownTtl: number | undefined = undefined;
  dirty = false;
  expired = false;
  destroyed = false;
  /** Found to be deleted elsewhere: never to be written again. */
  gone = false;
  /** The record that stood in memcached when last seen there; changes are found against it. */
  base: Encoded | undefined = undefined;
  /** The cas token that goes with `base`; undefined after a write. */
  version: bigint | undefined = undefined;
  /** The record last sent, whether or not it is known to have arrived. */
  written: Encoded | undefined = undefined;
  /** Nothing has been found or sent under `key` yet. */
  fresh = true;
  /** Has to be added under `key` and deleted under those of `old`: for it has a new id, or for its key was made of an old secret. */
  moving: "id" | "secret" | undefined = undefined;
  /** How many saves are under way. */
  saves = 0;
  /** Settles when the last of them has. */
  saving: Promise<Saved> | undefined = undefined;

  constructor(store: SessionHome, id: string, key: string) {
    this.store = store;
    this.id = id;
    this.key = key;
  }

  /** Keys under which copies may still stand, the newest last, with what was copied from there. */
  get old(): Map<string, Copied | undefined> {
    return this.#old ??= new Map();
  }

  /** Whether there is any, without making the Map that few sessions need. */
  get hasOld(): boolean {
    return this.#old !== undefined && this.#old.size > 0;
  }
}

/** The state of a session: its content now, and what is known about its copies in memcached. */
import type { Commands } from "../client/commands.ts";
import type { Item } from "../client/item.ts";
import type { Ids } from "./ids.ts";
import type { Lifetimes } from "./lifetime.ts";
import { type Fields, joined, merge, NO_UPDATES, settle, type UpdateMap } from "./merge.ts";
import {
  type Content,
  type Encoded,
  newMarker,
  type RecordCodec,
  type StoredRecord,
} from "./record.ts";

/** What a session needs of its store. */
export interface Home extends Lifetimes {
  readonly commands: Commands<StoredRecord>;
  readonly codec: RecordCodec;
  readonly ids: Ids;
  readonly alwaysSave: boolean;
  readonly lastWriteWins: boolean;
}

/** What storeSession did with the session. */
export type Saved = "stored" | "touched" | "unchanged" | "deleted" | "gone";

/** The state of one session, new until something else is noted. session.ts and merges write its content. */
export class SessionState implements Content {
  readonly home: Home;
  id: string;
  /** The id's mcKey. */
  key: string;
  isNew = true;
  fields: Fields = {};
  createdAt: number = Date.now();
  ttl: number | undefined = undefined;
  updates: UpdateMap = NO_UPDATES;
  dirty = false;
  expired = false;
  destroyed = false;
  /** Whether it was opened by an id whose session had moved. Then it is not written until it has a new id. */
  barred = false;
  readonly place: Place;
  /** The last save that was called, or undefined once that save has ended. */
  shot: Shot | undefined = undefined;
  /** How many saves are under way; `saving` settles with the last of them. */
  saves = 0;
  saving: Promise<Saved> | undefined = undefined;

  constructor(home: Home, id: string, key: string) {
    this.home = home;
    this.id = id;
    this.key = key;
    this.place = new Place(key);
  }

  /** Takes over what the last save has merged, and the updates that it could not store. */
  follow(shot: Shot): void {
    this.shot = undefined;
    if (!shot.record.equals(shot.start)) this.#rebase(shot);
    if (shot.failed) this.updates = joined(shot.updates, this.updates);
  }

  #rebase({ start, record }: Shot): void {
    const { codec } = this.home;
    let content: Content;
    try {
      content = merge(this, start, codec.read(record), this.updates, codec);
    } catch {
      // A function of the caller has thrown: keep the field as it is, as if it had been set.
      this.updates = NO_UPDATES;
      content = merge(this, start, codec.read(record), this.updates, codec);
    }
    this.fields = content.fields;
    this.createdAt = content.createdAt;
    this.ttl = content.ttl;
  }
}

/** The session as it was when storeSession was called, and what has been merged into it since. */
export class Shot {
  /** The key that the session is to be stored under. */
  readonly key: string;
  readonly dirty: boolean;
  readonly barred: boolean;
  readonly isEmpty: boolean;
  updates: UpdateMap;
  /** Whether the save has rejected. */
  failed = false;
  /** The record to be stored: `start` as it was at the call, `record` as it is after merges. */
  readonly start: Encoded;
  record: Encoded;
  createdAt: number;
  ttl: number | undefined;

  /** The previous save, if it was still running at the call. */
  #previous: Shot | undefined;

  /** Throws if the session cannot be encoded. */
  constructor(state: SessionState) {
    this.#previous = state.shot;
    this.key = state.key;
    this.dirty = state.dirty;
    this.barred = state.barred;
    this.createdAt = state.createdAt;
    this.ttl = state.ttl;
    this.isEmpty = Object.keys(state.fields).length === 0;
    this.updates = state.updates;
    this.start = this.record = state.home.codec.encodeSession(state);
  }

  /** Takes over what the previous save has merged, and the updates that it could not store. */
  begin(codec: RecordCodec): void {
    const previous = this.#previous;
    if (previous === undefined) return;
    this.#previous = undefined;
    const { start, record, failed, updates } = previous;
    if (!record.equals(start)) this.merge(start, codec.read(record), codec);
    if (failed) this.updates = joined(updates, this.updates);
  }

  /** Merges its changes since `ancestor` into what was read. */
  merge(ancestor: Encoded | undefined, theirs: StoredRecord, codec: RecordCodec): void {
    const mine = codec.read(this.record).session!;
    const content = merge(mine, ancestor, theirs, this.updates, codec);
    this.record = codec.encodeSession(content);
    this.createdAt = content.createdAt;
    this.ttl = content.ttl;
  }
}

// How many attempts of unknown outcome are remembered, any of which may have arrived. More are very rare.
const MAX_SENT = 8;

/** What is known about the record under one key. */
export class Copy {
  readonly key: string;
  /**
   * "unsent": no record was seen here or sent here. "unsure": an add was sent and its outcome is unknown.
   * "there": the record was read or written here.
   */
  stage: "unsent" | "unsure" | "there" = "unsent";
  /** The record that was last read or written here; changes are counted from it. */
  base: Encoded | undefined = undefined;
  /** The record's token; unknown (undefined) after a write. */
  version: bigint | undefined = undefined;
  /** Whether another secret than the first has sealed it. */
  outdated = false;
  /** Records that were sent to this key and may be stored there. */
  readonly sent: Encoded[] = [];

  constructor(key: string) {
    this.key = key;
  }

  /**
   * Notes what was read here, and merges what others have changed. With `settles`, a record that a save of
   * unknown outcome has sent counts as stored.
   */
  read({ value, cas }: Item<StoredRecord>, shot: Shot, codec: RecordCodec, settles: boolean): void {
    const { encoded, outdated } = value;
    if (!encoded.equals(this.base)) {
      if (!this.sent.some((record) => record.equals(encoded))) {
        shot.merge(this.base ?? this.sent[0], value, codec);
      } else if (settles) settle(shot.updates, value, codec);
      // The token has changed with the record, so what was sent with an older token can no longer arrive.
      this.sent.length = 0;
    }
    this.found(encoded, cas, outdated);
  }

  /** Notes that this record is stored here. */
  found(record: Encoded, version: bigint | undefined, outdated: boolean): void {
    this.stage = "there";
    this.base = record;
    this.version = version;
    this.outdated = outdated;
  }

  /** Notes a record that is being sent. False: the same one was sent before. */
  sending(record: Encoded): boolean {
    this.version = undefined;
    if (this.sent.some((other) => other.equals(record))) return false;
    if (this.sent.push(record) > MAX_SENT) this.sent.shift();
    return true;
  }

  /** Forgets a record that was sent and certainly not stored. */
  refused(record: Encoded): void {
    const at = this.sent.indexOf(record);
    if (at >= 0) this.sent.splice(at, 1);
  }

  /** Notes that the record has arrived. */
  arrived(record: Encoded): void {
    this.sent.length = 0;
    this.found(record, undefined, false);
  }

  /** Notes that nothing of the session is stored here. */
  lost(): void {
    this.stage = "unsent";
    this.base = undefined;
    this.version = undefined;
    this.sent.length = 0;
  }
}

/** A move that is not confirmed yet. */
export interface Source {
  /** The copy under the old id. */
  readonly copy: Copy;
  /** The marker that replaces it; its bytes stay the same until the move is confirmed or given up. */
  readonly marker: Encoded;
}

/** Under which keys the session is, or may be, in memcached. */
export class Place {
  /** The copy that saves write. */
  copy: Copy;
  source: Source | undefined = undefined;
  /** The keys of ids between the source's and the present one; they are deleted after the move. */
  readonly between: string[] = [];
  /** Whether the session has ended elsewhere. Then it is never written again. */
  gone = false;

  constructor(key: string) {
    this.copy = new Copy(key);
  }

  /** Follows the session to the key of its present id. */
  follow(key: string): void {
    const { copy, source } = this;
    if (copy.key === key) return;
    if (copy.stage !== "unsent") {
      if (source === undefined) this.source = { copy, marker: newMarker() };
      else this.between.push(copy.key);
    }
    this.copy = new Copy(key);
  }

  /** All keys under which something may be stored. */
  get keys(): string[] {
    const { copy, source, between } = this;
    const own = copy.stage === "unsent" ? [] : [copy.key];
    return source === undefined ? own : [...own, source.copy.key, ...between];
  }

  /** Notes that the move is over: the session has no key but its present one. */
  arrive(): void {
    this.source = undefined;
    this.between.length = 0;
  }
}

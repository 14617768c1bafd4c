/** What a session is made of: its content now, and what is known of its copies in memcached. */
import type { Commands } from "../client/commands.ts";
import type { Item } from "../client/item.ts";
import type { Ids } from "./ids.ts";
import type { Lifetimes } from "./lifetime.ts";
import { type Fields, joined, merge, NO_UPDATES, settle, type UpdateMap } from "./merge.ts";
import { type Content, type Encoded, newMarker, type RecordCodec, type Stocked } from "./record.ts";

/** What a session needs of its store. */
export interface Home extends Lifetimes {
  readonly commands: Commands<Stocked>;
  readonly codec: RecordCodec;
  readonly ids: Ids;
  readonly alwaysSave: boolean;
  readonly lastWriteWins: boolean;
}

/** What storeSession did. */
export type Saved = "stored" | "touched" | "unchanged" | "deleted" | "gone";

/** A session, new as long as nothing else is noted. Its content is written by session.ts and by merges. */
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
  /** Opened by an id whose session had moved: stays unwritten until it has a new id. */
  barred = false;
  readonly place: Place;
  /** The last save that was called, until it ends. */
  shot: Shot | undefined = undefined;
  /** How many saves are under way, and what settles when the last of them has. */
  saves = 0;
  saving: Promise<Saved> | undefined = undefined;

  constructor(home: Home, id: string, key: string) {
    this.home = home;
    this.id = id;
    this.key = key;
    this.place = new Place(key);
  }

  /** Takes over what the last save has merged into the session, and what it has left to be stored. */
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
      // A function of the caller's has thrown: what it has made of the field stays, as if it were set.
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
  /** The key that it is to be stored under. */
  readonly key: string;
  readonly dirty: boolean;
  readonly barred: boolean;
  readonly isEmpty: boolean;
  updates: UpdateMap;
  /** It has rejected. */
  failed = false;
  /** The record that is to be stored, at the call and now. */
  readonly start: Encoded;
  record: Encoded;
  createdAt: number;
  ttl: number | undefined;

  /** The save that was called before, if it had not ended. */
  #previous: Shot | undefined;

  /** Throws what cannot be encoded. */
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

  /** Takes over what the save before has merged, and what it has left to be stored. */
  begin(codec: RecordCodec): void {
    const previous = this.#previous;
    if (previous === undefined) return;
    this.#previous = undefined;
    const { start, record, failed, updates } = previous;
    if (!record.equals(start)) this.merge(start, codec.read(record), codec);
    if (failed) this.updates = joined(updates, this.updates);
  }

  /** Brings its changes since `ancestor` onto what was read. */
  merge(ancestor: Encoded | undefined, theirs: Stocked, codec: RecordCodec): void {
    const mine = codec.read(this.record).session!;
    const content = merge(mine, ancestor, theirs, this.updates, codec);
    this.record = codec.encodeSession(content);
    this.createdAt = content.createdAt;
    this.ttl = content.ttl;
  }
}

// Attempts whose outcome is unknown, of which any may have arrived; more are hardly ever made.
const MAX_SENT = 8;

/** What is known of the record under one key. */
export class Copy {
  readonly key: string;
  /** "unsent": nothing was ever seen or sent here; "unsure": it was added, the outcome is unknown. */
  stage: "unsent" | "unsure" | "there" = "unsent";
  /** The record that changes are counted from: last read or written here. */
  base: Encoded | undefined = undefined;
  /** Its token; undefined after a write. */
  version: bigint | undefined = undefined;
  /** An older secret has sealed it. */
  outdated = false;
  /** Records that were sent here and may stand here. */
  readonly sent: Encoded[] = [];

  constructor(key: string) {
    this.key = key;
  }

  /**
   * Notes what was read here, and merges what others have changed. With `settles`, what stands here by a
   * save whose outcome was unknown counts as stored.
   */
  read({ value, cas }: Item<Stocked>, shot: Shot, codec: RecordCodec, settles: boolean): void {
    const { encoded, outdated } = value;
    if (!encoded.equals(this.base)) {
      if (!this.sent.some((record) => record.equals(encoded))) {
        shot.merge(this.base ?? this.sent[0], value, codec);
      } else if (settles) settle(shot.updates, value, codec);
      // Once another record stands here, what was sent with an older token can arrive no more.
      this.sent.length = 0;
    }
    this.found(encoded, cas, outdated);
  }

  /** Notes that this record stands here. */
  found(record: Encoded, version: bigint | undefined, outdated: boolean): void {
    this.stage = "there";
    this.base = record;
    this.version = version;
    this.outdated = outdated;
  }

  /** Notes a record that is being sent. Returns what forgets it, for a record that has not arrived. */
  sending(record: Encoded): () => void {
    this.version = undefined;
    if (this.sent.some((other) => other.equals(record))) return () => undefined;
    if (this.sent.push(record) > MAX_SENT) this.sent.shift();
    return () => {
      const at = this.sent.indexOf(record);
      if (at >= 0) this.sent.splice(at, 1);
    };
  }

  /** Notes that the record has arrived. */
  arrived(record: Encoded): void {
    this.sent.length = 0;
    this.found(record, undefined, false);
  }

  /** Notes that nothing of it stands here. */
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
  /** What is put in its place: the same bytes until the move is confirmed or given up. */
  readonly marker: Encoded;
}

/** Where the session stands in memcached. */
export class Place {
  /** The copy that is written. */
  copy: Copy;
  source: Source | undefined = undefined;
  /** Keys of ids between that of the source and the present one, to be deleted after the move. */
  readonly between: string[] = [];
  /** Ended elsewhere: never to be written again. */
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

  /** All keys under which something may stand. */
  get keys(): string[] {
    const { copy, source, between } = this;
    const own = copy.stage === "unsent" ? [] : [copy.key];
    return source === undefined ? own : [...own, source.copy.key, ...between];
  }

  /** The session stands under its present key alone. */
  arrive(): void {
    this.source = undefined;
    this.between.length = 0;
  }
}

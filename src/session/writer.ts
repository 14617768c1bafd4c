/**
 * Writing a session under one key: add where nothing of it should stand, cas where it stands, with a
 * note of what was sent, so that a write whose reply was lost is told from another's.
 */
import type { Deadline, PartOptions } from "../client/deadline.ts";
import type { Item } from "../client/item.ts";
import { ConflictError, INVALID_ARGUMENT, isMemcachedError } from "../errors.ts";
import { secondsToLive } from "./lifetime.ts";
import { merge } from "./merge.ts";
import { pause } from "./pause.ts";
import type { Encoded, Stocked } from "./record.ts";
import type { Records } from "./records.ts";
import type { SessionState } from "./state.ts";

/** How often a write that others came before is tried again. */
export const MAX_TRIES = 5;

// At most so long after the first conflict, twice as long after each further one: twenty requests of
// one page that save at once all get through within the tries.
const PAUSE_MS = 16;

/** Writes a session under the key that it has now. */
export class Writer {
  readonly records: Records;
  readonly state: SessionState;
  readonly deadline: Deadline;
  /** Stays what it is, although regenerate() may give the session another one meanwhile. */
  readonly key: string;

  constructor(records: Records, state: SessionState, deadline: Deadline) {
    this.records = records;
    this.state = state;
    this.deadline = deadline;
    this.key = state.key;
  }

  /** The session as it is now. */
  encode(): Encoded {
    const { fields, createdAt, ownTtl } = this.state;
    return this.records.codec.encodeSession(fields, createdAt, ownTtl);
  }

  /** Options of a write that begins now. */
  options(): PartOptions {
    const { ownTtl, createdAt, store } = this.state;
    return this.deadline.left(secondsToLive(ownTtl, createdAt, store));
  }

  /**
   * Adds where at most an earlier attempt of this handle stands; `shared`: or what others have moved
   * there, which is joined.
   */
  async add(encoded: Encoded, shared: boolean = false): Promise<"added" | "joined" | "gone"> {
    const { state, key } = this;
    const attempt = state.written;
    // An attempt is repeated as it was: what is found then has come from it.
    const record = attempt ?? encoded;
    if (await this.#send(record, (how) => this.records.add(key, record, how))) {
      this.placed(record);
      return record.equals(encoded) || await this.cas(encoded) ? "added" : "gone";
    }
    if (attempt === undefined && !shared) {
      this.#notSent(record, true, undefined);
      throw new ConflictError("something else stands under the session's new id");
    }
    this.placed(shared ? state.base : record);
    return await this.cas(encoded) ? "joined" : "gone";
  }

  /** Writes over the version that is known; reads, and merges, where none is or it is outdated. False: gone. */
  async cas(encoded: Encoded): Promise<boolean> {
    const { state, key } = this;
    let version = this.#takeVersion();
    for (let tries = 0; tries <= MAX_TRIES; tries++) {
      if (tries > 0) await this.deadline.within(pause(PAUSE_MS * 2 ** (tries - 1)));
      if (version === undefined) {
        const item = await this.records.read(key, this.deadline.left());
        if (item === undefined) return false;
        encoded = this.rebase(item);
        // What was to be written stands there: the write whose outcome was unknown has happened.
        if (encoded.equals(item.value.encoded)) return await this.touch();
        version = item.cas;
      }
      const [record, known] = [encoded, version];
      const outcome = await this.#send(record, (how) => this.records.cas(key, record, known, how));
      if (outcome === "missing") return false;
      if (outcome === "stored") {
        state.base = record;
        return true;
      }
      version = undefined;
    }
    throw conflict();
  }

  /** Sets the time to live anew. False: gone. */
  touch(): Promise<boolean> {
    const how = this.options();
    return this.records.touch(this.key, how.ttl as number, how);
  }

  /** Last write wins: true. */
  async set(encoded: Encoded): Promise<true> {
    await this.#send(encoded, (how) => this.records.set(this.key, encoded, how));
    this.placed(encoded);
    return true;
  }

  /** Counts the session's changes from what was read: its own, or another's with its changes on top. */
  rebase({ value: fresh }: Item<Stocked>): Encoded {
    const { state } = this;
    const own = fresh.encoded.equals(state.written) || fresh.encoded.equals(state.base);
    if (!own) merge(state, state.base, fresh, this.records.codec);
    state.base = fresh.encoded;
    return this.encode();
  }

  /** The session is known to stand under the key; its changes are counted from `base`. */
  placed(base: Encoded | undefined): void {
    const { state } = this;
    state.isNew = false;
    state.base = base;
    if (this.#isCurrent) state.moving = undefined;
  }

  /** Deletes each copy that can be deleted; rejects if one cannot. */
  async deleteAll(keys: readonly string[]): Promise<void> {
    const { state } = this;
    const outcomes = await Promise.allSettled([...new Set(keys)].map(async (key) => {
      await this.records.delete(key, this.deadline.left());
      state.old.delete(key);
    }));
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  /** Whether the key is still the session's: what is known of it is noted only then. */
  get #isCurrent(): boolean {
    return this.state.key === this.key;
  }

  /** Notes the record as sent, unless it turns out that it was not. */
  #send<T>(record: Encoded, command: (how: PartOptions) => Promise<T>): Promise<T> {
    const { state } = this;
    const how = this.options();
    if (!this.#isCurrent) return command(how);
    const { fresh, written } = state;
    state.fresh = false;
    state.version = undefined;
    state.written = record;
    return command(how).catch((error: unknown) => {
      if (isDefinite(error)) this.#notSent(record, fresh, written);
      throw error;
    });
  }

  /** Nothing of the record stands there: takes the note back. */
  #notSent(record: Encoded, fresh: boolean, written: Encoded | undefined): void {
    const { state } = this;
    if (state.written !== record) return;
    state.fresh = fresh;
    state.written = written;
  }

  #takeVersion(): bigint | undefined {
    const { version } = this.state;
    if (!this.#isCurrent) return undefined;
    this.state.version = undefined;
    return version;
  }
}

/** Others were first, to the last of the tries. */
export function conflict(): ConflictError {
  return new ConflictError("others kept writing the session");
}

/** Whether it is certain that the write has not happened. */
function isDefinite(error: unknown): boolean {
  if (isMemcachedError(error)) return !error.ambiguous;
  return (error as { code?: unknown } | null)?.code === INVALID_ARGUMENT;
}

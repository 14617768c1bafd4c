/**
 * storeSession: add what is new, cas what is known, merge where somebody else wrote meanwhile, and
 * never write what was deleted elsewhere.
 */
import type { Deadline } from "../client/deadline.ts";
import type { Item } from "../client/results.ts";
import { ConflictError, ConnectionLostError, ServerDownError, TimeoutError } from "../errors.ts";
import { rebase } from "./merge.ts";
import { hasEnded, secondsToLive } from "./lifetime.ts";
import { type Encoded, SESSION_FLAG, type Stocked } from "./record.ts";
import type { Records, Writing } from "./records.ts";
import { type SessionState, stands } from "./session.ts";

/** What storeSession did. */
export type Saved = "stored" | "touched" | "unchanged" | "deleted" | "gone";

const MAX_TRIES = 5;

/** How a store saves. */
export interface SavingOptions {
  readonly alwaysSave: boolean;
  readonly lastWriteWins: boolean;
}

/** One call of storeSession. */
export class Saving {
  readonly #records: Records;
  readonly #options: SavingOptions;
  readonly #state: SessionState;
  readonly #deadline: Deadline;

  constructor(
    records: Records,
    options: SavingOptions,
    state: SessionState,
    deadline: Deadline,
  ) {
    this.#records = records;
    this.#options = options;
    this.#state = state;
    this.#deadline = deadline;
  }

  /** Does what the session needs. */
  async run(): Promise<Saved> {
    const state = this.#state;
    if (state.destroyed || state.expired || hasEnded(state.createdAt, state.store)) {
      return await this.#delete();
    }
    if (state.gone) return "gone";
    if (state.isNew && !stands(state) && Object.keys(state.fields).length === 0) return "unchanged";
    const encoded = this.#encode();
    if (!state.isNew && !state.moving && !this.#isChanged(encoded)) return await this.#refresh();
    state.dirty = true;
    if (this.#options.lastWriteWins) await this.#set(encoded);
    else if (!await this.#write(encoded)) return this.#isGone();
    state.dirty = false;
    return "stored";
  }

  /** Writes by add or cas, then deletes what stands under old keys. False: deleted elsewhere. */
  async #write(encoded: Encoded): Promise<boolean> {
    const state = this.#state;
    if (!state.moving) {
      // Left by a save that could not delete them; the session stands under its new key already.
      await this.#deleteOld();
      return await (state.isNew ? this.#add(encoded) : this.#cas(encoded));
    }
    const oldKey = state.oldKeys.at(-1) as string;
    let old: Item<Stocked> | "absent" | "unreachable" = await this.#readIfReachable(oldKey);
    if (old === "absent") return false;
    if (old !== "unreachable") encoded = this.#rebase(old);
    if (!await this.#add(encoded)) return false;
    // Whoever wrote the old copy since is merged, whoever deleted it has ended the session.
    for (let tries = 0; typeof old !== "string" && old.cas !== 0n; tries++) {
      const left = this.#deadline.left();
      const deleted = await this.#records.compareAndDelete(oldKey, old.cas, left);
      if (deleted === "deleted") break;
      if (tries === MAX_TRIES) throw conflict();
      old = deleted === "missing" ? "absent" : await this.#readIfReachable(oldKey);
      if (old === "absent") {
        await this.#deleteKey(state.key);
        return false;
      }
      if (old === "unreachable") break;
      if (!await this.#cas(this.#rebase(old))) return false;
    }
    await this.#deleteOld();
    return true;
  }

  /** Adds under a key where nothing of the session is known to stand. False: deleted elsewhere. */
  async #add(encoded: Encoded): Promise<boolean> {
    const state = this.#state;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const earlier = state.written;
      state.written = encoded;
      if (await this.#records.add(state.key, encoded, this.#how())) {
        this.#placed(encoded);
        return true;
      }
      // Something is there: the session itself, by an earlier try whose outcome was unknown, or a
      // session of the same id, which chance does not bring about but a test may.
      const item = await this.#read(state.key);
      if (item === undefined) continue;
      const found = item.value.encoded;
      if (!found.equals(earlier) && !found.equals(encoded)) throw conflict();
      this.#placed(found);
      state.version = item.cas;
      return await this.#cas(encoded);
    }
    throw conflict();
  }

  /** Writes over the version that is known; reads, and merges, where none is or it is outdated. */
  async #cas(encoded: Encoded): Promise<boolean> {
    const state = this.#state;
    for (let tries = 0; tries <= MAX_TRIES; tries++) {
      let { version } = state;
      if (version === undefined) {
        const item = await this.#read(state.key);
        if (item === undefined) return false;
        encoded = this.#rebase(item);
        // What was to be written stands there: the write whose outcome was unknown has happened.
        if (encoded.equals(item.value.encoded)) return true;
        version = item.cas;
      }
      state.written = encoded;
      state.version = undefined;
      const outcome = await this.#records.cas(state.key, encoded, version, this.#how());
      if (outcome === "missing") return false;
      if (outcome === "stored") {
        state.base = encoded;
        return true;
      }
    }
    throw conflict();
  }

  /** The seed's way: last write wins. */
  async #set(encoded: Encoded): Promise<void> {
    const state = this.#state;
    state.written = encoded;
    await this.#records.set(state.key, encoded, this.#how());
    this.#placed(encoded);
    await this.#deleteOld();
  }

  async #refresh(): Promise<Saved> {
    if (!this.#options.alwaysSave) return "unchanged";
    const state = this.#state;
    const { ttl, ...left } = this.#how();
    return await this.#records.touch(state.key, ttl, left) ? "touched" : this.#isGone();
  }

  async #delete(): Promise<Saved> {
    const state = this.#state;
    if (stands(state)) await this.#deleteKey(state.key);
    await this.#deleteOld();
    state.gone = true;
    return "deleted";
  }

  async #deleteOld(): Promise<void> {
    const { oldKeys } = this.#state;
    while (oldKeys.length > 0) {
      await this.#deleteKey(oldKeys[0] as string);
      oldKeys.shift();
    }
  }

  async #deleteKey(key: string): Promise<void> {
    await this.#records.delete(key, this.#deadline.left());
  }

  #how(): Writing {
    const { ownTtl, createdAt, store } = this.#state;
    return { ...this.#deadline.left(), ttl: secondsToLive(ownTtl, createdAt, store) };
  }

  #read(key: string): Promise<Item<Stocked> | undefined> {
    return this.#records.read(key, this.#deadline.left());
  }

  async #readIfReachable(key: string): Promise<Item<Stocked> | "absent" | "unreachable"> {
    try {
      return await this.#read(key) ?? "absent";
    } catch (error) {
      const unreachable = error instanceof ServerDownError || error instanceof TimeoutError ||
        error instanceof ConnectionLostError;
      if (!unreachable) throw error;
      return "unreachable";
    }
  }

  #rebase(item: Item<Stocked>): Encoded {
    rebase(this.#state, item.value, item.cas, this.#records.codec);
    return this.#encode();
  }

  /** The session stands under its key, as `encoded`. */
  #placed(encoded: Encoded): void {
    const state = this.#state;
    state.isNew = false;
    state.moving = false;
    state.base = encoded;
    state.version = undefined;
  }

  #isGone(): "gone" {
    this.#state.gone = true;
    return "gone";
  }

  #encode(): Encoded {
    const { fields, createdAt, ownTtl } = this.#state;
    return this.#records.codec.encodeSession(fields, createdAt, ownTtl);
  }

  #isChanged(encoded: Encoded): boolean {
    const { dirty, base, fields } = this.#state;
    if (dirty || base === undefined) return true;
    // What `set` stored is a plain object, and stays one until it is changed.
    const now = (base.flags & SESSION_FLAG) === 0
      ? this.#records.codec.encodeValue(fields)
      : encoded;
    return !now.equals(base);
  }
}

function conflict(): ConflictError {
  return new ConflictError("others kept writing the session");
}

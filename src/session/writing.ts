/**
 * Writing a session under one key: by add where nothing of it should stand, by cas where it stands. What
 * was sent is noted, so that a write whose reply was lost is told from somebody else's.
 */
import type { Deadline, PartOptions } from "../client/deadline.ts";
import {
  ConflictError,
  INVALID_ARGUMENT,
  isMemcachedError,
  type MemcachedError,
} from "../errors.ts";
import { secondsToLive } from "./lifetime.ts";
import { settle } from "./merge.ts";
import { refresh } from "./opening.ts";
import type { Encoded } from "./record.ts";
import type { Copy, Home, Shot } from "./state.ts";

// After a conflict a writer waits for a random time of at most its last try's, twice that after the next
// one, and so on: however far the server is, soon few of them meet.
const MIN_PAUSE_MS = 4;
const MAX_PAUSE_MS = 100;

/** Writes what is to be stored under a copy's key. */
export class Writer {
  readonly home: Home;
  readonly shot: Shot;
  readonly copy: Copy;
  readonly deadline: Deadline;
  /** Updates are counted from this copy; while a session moves, from that under its old id. */
  readonly #settles: boolean;

  constructor(home: Home, shot: Shot, copy: Copy, deadline: Deadline, moving: boolean = false) {
    this.#settles = !moving;
    this.home = home;
    this.shot = shot;
    this.copy = copy;
    this.deadline = deadline;
  }

  /** Adds it, where at most an earlier attempt of this handle stands. False: ended elsewhere. */
  async add(): Promise<boolean> {
    const { copy, shot, home: { commands } } = this;
    // An attempt is repeated as it was: what is found then has come from it.
    const attempt = copy.stage === "unsure" ? copy.sent[0] : undefined;
    const record = attempt ?? shot.record;
    copy.stage = "unsure";
    let added = false;
    try {
      added = await this.#send(record, (options) => commands.add(copy.key, record, options));
    } finally {
      if (copy.sent.length === 0 && !added) copy.lost();
    }
    if (!added && attempt === undefined) {
      throw new ConflictError("something else is stored under the session's new id");
    }
    if (attempt !== undefined && this.#settles) {
      settle(shot.updates, this.home.codec.read(record), this.home.codec);
    }
    copy.arrived(record);
    return added && record.equals(shot.record) || await this.cas();
  }

  /** Writes it over the version that is known; reads, and merges, if none is. False: ended elsewhere. */
  cas(): Promise<boolean> {
    const { copy, shot, home, deadline } = this;
    const { commands, codec } = home;
    let { version } = copy;
    return insist(deadline, async () => {
      if (version === undefined) {
        const item = await commands.getItem(copy.key, deadline.left());
        if (item === undefined || item.value.marker) return false;
        copy.read(item, shot, codec, this.#settles);
        version = item.cas;
      }
      const [record, token] = [shot.record, version];
      version = undefined;
      if (record.equals(copy.base) && !copy.outdated) {
        // A write whose outcome was unknown has happened, or there is no change: only the ttl is set.
        const seconds = secondsToLive(shot.ttl, shot.createdAt, home);
        const there = await refresh(home, copy.key, seconds, deadline);
        if (there === undefined || there === "moved") return false;
        return there === token || undefined;
      }
      const outcome = await this.#send(
        record,
        (options) => commands.cas(copy.key, record, token, options),
      );
      return outcome === "exists" ? undefined : outcome === "stored";
    });
  }

  /** Stores it whatever is there. */
  async set(): Promise<void> {
    const { copy, shot: { record }, home: { commands } } = this;
    await this.#send(record, (options) => commands.set(copy.key, record, options));
    copy.arrived(record);
  }

  /** Sends a record; it is noted until it is known what has become of it. */
  async #send<T>(record: Encoded, command: (options: PartOptions) => Promise<T>): Promise<T> {
    const { ttl, createdAt } = this.shot;
    const options = this.deadline.left(secondsToLive(ttl, createdAt, this.home));
    const forget = this.copy.sending(record);
    try {
      const outcome = await command(options);
      if (outcome === "stored") this.copy.arrived(record);
      else if (outcome !== true) forget();
      return outcome;
    } catch (error) {
      if (isDefinite(error)) forget();
      throw error;
    }
  }
}

/** Tries, again and again, while somebody else is first (undefined); until the deadline. */
export async function insist<T>(
  deadline: Deadline,
  attempt: () => Promise<T | undefined>,
): Promise<T> {
  for (let tries = 0;; tries++) {
    const begun = performance.now();
    try {
      const outcome = await attempt();
      if (outcome !== undefined) return outcome;
    } catch (error) {
      // What is certainly not written because the time was spent on earlier tries has met others.
      const late = tries > 0 && isTimeout(error) && !error.ambiguous;
      throw late && deadline.passed ? conflict() : error;
    }
    const took = performance.now() - begun;
    await deadline.pause(Math.min(MAX_PAUSE_MS, Math.max(MIN_PAUSE_MS, took) * 2 ** tries)).catch(
      (error: unknown) => {
        throw isTimeout(error) ? conflict() : error;
      },
    );
  }
}

/** Others kept writing until the deadline. */
export function conflict(): ConflictError {
  return new ConflictError("others kept writing the session");
}

function isTimeout(error: unknown): error is MemcachedError {
  return isMemcachedError(error) && error.code === "TIMEOUT";
}

/** Whether it is certain that the write has not happened. */
function isDefinite(error: unknown): boolean {
  if (isMemcachedError(error)) return !error.ambiguous;
  return (error as { code?: unknown } | null)?.code === INVALID_ARGUMENT;
}

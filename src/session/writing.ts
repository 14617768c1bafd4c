/**
 * Writes a session under one key: by `add` if it should not be there yet, by `cas` if it is. Every record that
 * is sent is noted, so that a write whose reply was lost can be told from somebody else's write.
 */
import type { Deadline } from "../client/deadline.ts";
import type { CheckedOptions } from "../client/options.ts";
import { elapsed } from "../connection/clock.ts";
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

// After a conflict a writer waits a random time, at most as long as its last try took, then at most twice as
// long, and so on. So however far away the server is, soon only few writers collide.
const MIN_PAUSE_MS = 4;
const MAX_PAUSE_MS = 100;

/** Writes the record of a save under the key of a copy. */
export class Writer {
  readonly home: Home;
  readonly shot: Shot;
  readonly copy: Copy;
  readonly deadline: Deadline;
  /** Whether updates are counted from this copy. While a session moves, they count from its old copy. */
  readonly #settles: boolean;

  constructor(home: Home, shot: Shot, copy: Copy, deadline: Deadline, moving: boolean = false) {
    this.#settles = !moving;
    this.home = home;
    this.shot = shot;
    this.copy = copy;
    this.deadline = deadline;
  }

  /**
   * Adds the record. Nothing but an earlier attempt of this handle can be under the key. Resolves to false if
   * the session has ended elsewhere.
   */
  async add(): Promise<boolean> {
    const { copy, shot, home: { commands } } = this;
    // Repeat an earlier attempt with the same bytes: if the key is taken, that attempt has arrived.
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

  /**
   * Writes the record over the known version; if none is known, reads and merges first. Resolves to false if
   * the session has ended elsewhere.
   */
  cas(): Promise<boolean> {
    const { copy, shot, home, deadline } = this;
    const { commands, codec } = home;
    let { version } = copy;
    return insist(deadline, async () => {
      if (version === undefined) {
        const item = await commands.getItem(copy.key, deadline.options());
        if (item === undefined || item.value.marker) return false;
        copy.read(item, shot, codec, this.#settles);
        version = item.cas;
      }
      const [record, token] = [shot.record, version];
      version = undefined;
      if (record.equals(copy.base) && !copy.outdated) {
        // An earlier write of unknown outcome has arrived, or nothing has changed: set the ttl alone.
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

  /** Stores the record whatever is there. */
  async set(): Promise<void> {
    const { copy, shot: { record }, home: { commands } } = this;
    await this.#send(record, (options) => commands.set(copy.key, record, options));
    copy.arrived(record);
  }

  /** Sends a record, and keeps it noted until its outcome is known. */
  async #send<T>(record: Encoded, command: (options: CheckedOptions) => Promise<T>): Promise<T> {
    const { ttl, createdAt } = this.shot;
    const options = this.deadline.options(secondsToLive(ttl, createdAt, this.home));
    const { copy } = this;
    // If it was sent before, that attempt may still arrive, whatever becomes of this one.
    const first = copy.sending(record);
    try {
      const outcome = await command(options);
      if (outcome === "stored") copy.arrived(record);
      else if (outcome !== true && first) copy.refused(record);
      return outcome;
    } catch (error) {
      if (first && !this.deadline.aborted && isDefinite(error)) copy.refused(record);
      throw error;
    }
  }
}

/** Repeats an attempt that resolves to undefined, because somebody else wrote first, until the deadline. */
export async function insist<T>(
  deadline: Deadline,
  attempt: () => Promise<T | undefined>,
): Promise<T> {
  for (let tries = 0;; tries++) {
    const begun = elapsed();
    try {
      const outcome = await attempt();
      if (outcome !== undefined) return outcome;
    } catch (error) {
      // If earlier tries used up the time and this one has certainly written nothing, the reason is a conflict.
      const late = tries > 0 && deadline.passed && !deadline.aborted;
      throw late && isTimeout(error) && !error.ambiguous ? conflict() : error;
    }
    const took = elapsed() - begun;
    await deadline.pause(Math.min(MAX_PAUSE_MS, Math.max(MIN_PAUSE_MS, took) * 2 ** tries)).catch(
      (error: unknown) => {
        throw isTimeout(error) && !deadline.aborted ? conflict() : error;
      },
    );
  }
}

/** The error for a save that failed because others wrote first, again and again. */
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

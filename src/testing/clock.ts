/**
 * Time as the server counts it: whole seconds since shortly before it started.
 *
 * memcached keeps every expiry in these relative seconds, and some replies show it (`t` of an item
 * that has just been expired wraps below zero), so the arithmetic here is part of the protocol.
 */
import { kindOf } from "../checks/values.ts";
import { invalidRange, invalidType } from "../errors.ts";

/**
 * Where the server reads the time: seconds since 1970, fractions allowed.
 *
 * @example
 * ```ts
 * import { type Clock, MemcachedServer } from "memwire/testing";
 *
 * const yesterday: Clock = { now: () => Date.now() / 1000 - 86_400 };
 * await using server = await MemcachedServer.start({ clock: yesterday });
 * ```
 */
export interface Clock {
  /** Seconds since 1970-01-01 UTC. */
  now(): number;
}

/**
 * A clock that stands still until a test moves it. It is the server's alone: what a client turns into
 * an absolute time (a TTL over 30 days, a session's `absoluteTtl`) follows the machine's.
 *
 * @example
 * ```ts
 * import { ManualClock, MemcachedServer } from "memwire/testing";
 *
 * const clock = new ManualClock();
 * const server = await MemcachedServer.start({ clock });
 * // ... store a session for half an hour ...
 * clock.advance(30 * 60); // and it is gone, without waiting
 * await server.stop();
 * ```
 */
export class ManualClock implements Clock {
  #seconds: number;

  /** Starts at `seconds` since 1970. Default: the present. */
  constructor(seconds: number = Math.floor(Date.now() / 1000)) {
    this.#seconds = checkSeconds(seconds);
  }

  /** Seconds since 1970-01-01 UTC. */
  now(): number {
    return this.#seconds;
  }

  /** Moves the clock on by `seconds`; a negative number moves it back. */
  advance(seconds: number): void {
    this.#seconds += checkSeconds(seconds);
  }
}

/** NaN would stop the server's time for ever. */
function checkSeconds(seconds: unknown): number {
  if (typeof seconds !== "number") {
    throw invalidType(`seconds must be a number, not ${kindOf(seconds)}`);
  }
  if (!Number.isFinite(seconds)) throw invalidRange(`seconds must be finite, not ${seconds}`);
  return seconds;
}

/** The machine's clock. */
export const systemClock: Clock = { now: () => Date.now() / 1000 };

/** An exptime up to this many seconds is relative, beyond it absolute (protocol.txt, "Expiration times"). */
const MAX_RELATIVE = 60 * 60 * 24 * 30;

/** memcached says that it started a minute and two seconds before it did, so that no relative time is ever 0. */
const HEAD_START = 62;

/** What an uptime leaves out of {@linkcode HEAD_START}. */
const UPDATE_INTERVAL = 60;

/** The server's own time line: relative seconds, and the rules that lead to them. */
export class Timeline {
  readonly #clock: Clock;
  /** Second 0 of the time line, in seconds since 1970. */
  readonly started: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.started = Math.floor(clock.now()) - HEAD_START;
  }

  /** The present, in relative seconds. */
  get now(): number {
    return Math.floor(this.#clock.now()) - this.started;
  }

  /** As `stats` tells it. */
  get uptime(): number {
    return this.now - UPDATE_INTERVAL;
  }

  /** When an item with this exptime expires, in relative seconds; 0 is never. */
  expiry(exptime: number): number {
    // A negative one becomes a moment long past, so that it cannot wrap around to "never".
    return this.moment(exptime < 0 ? MAX_RELATIVE + 1 : exptime);
  }

  /** A delay or an absolute time as relative seconds; 0 stays 0. */
  moment(time: number): number {
    if (time === 0) return 0;
    if (time <= MAX_RELATIVE) return (time + this.now) >>> 0;
    // What is as old as the server becomes 1, since 0 would mean never.
    return time <= this.started ? 1 : time - this.started;
  }
}

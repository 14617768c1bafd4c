/**
 * The server's time: whole seconds since shortly before it started.
 *
 * memcached keeps every expiry in these relative seconds. Some replies show it (the `t` of an item that has
 * just expired wraps below zero), so this arithmetic is part of the protocol.
 */
import { kindOf } from "../checks/values.ts";
import { invalidRange, invalidType } from "../errors.ts";

/**
 * The clock that the server reads. It gives seconds since 1970, with or without fractions.
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
 * A clock that stands still until a test moves it. Only the server reads it: where a client computes an
 * absolute time (a ttl over 30 days, a session's `absoluteTtl`), it uses the machine's clock.
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

  /** Sets the clock to `seconds` since 1970. Default: the present time. */
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

/** Refuses NaN and Infinity, which would stop the server's time for ever. */
function checkSeconds(seconds: unknown): number {
  if (typeof seconds !== "number") {
    throw invalidType(`seconds must be a number, not ${kindOf(seconds)}`);
  }
  if (!Number.isFinite(seconds)) throw invalidRange(`seconds must be finite, not ${seconds}`);
  return seconds;
}

/** The machine's clock. */
export const systemClock: Clock = { now: () => Date.now() / 1000 };

/** An exptime of up to this many seconds is relative, a larger one absolute (protocol.txt, "Expiration times"). */
const MAX_RELATIVE = 60 * 60 * 24 * 30;

/** memcached pretends to have started this many seconds earlier, so that no relative time is ever 0. */
const HEAD_START = 62;

/** The part of {@linkcode HEAD_START} that the reported uptime does not count. */
const UPDATE_INTERVAL = 60;

/** The server's own time line: relative seconds, and the rules that turn other times into them. */
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

  /** The uptime in seconds, as `stats` reports it. */
  get uptime(): number {
    return this.now - UPDATE_INTERVAL;
  }

  /** Returns when an item with this exptime expires, in relative seconds; 0 means never. */
  expiry(exptime: number): number {
    // A negative exptime becomes a moment in the far past, so that it cannot wrap around to "never".
    return this.moment(exptime < 0 ? MAX_RELATIVE + 1 : exptime);
  }

  /** Turns a delay or an absolute time into relative seconds; 0 stays 0. */
  moment(time: number): number {
    if (time === 0) return 0;
    if (time <= MAX_RELATIVE) return (time + this.now) >>> 0;
    // A time before the server's start becomes 1, because 0 would mean never.
    return time <= this.started ? 1 : time - this.started;
  }
}

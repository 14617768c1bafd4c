/** How long a session lives: its idle time and its absolute end, of numbers and a clock alone. */
import { MAX_EXPTIME } from "../protocol/exptime.ts";

// A minute before memcached's last second, because the clock goes on until the command is made.
const LAST_SECOND = MAX_EXPTIME - 60;

/** A store's times, in seconds. */
export interface Lifetimes {
  /** Since the last request. 0 and Infinity: for ever. */
  readonly ttl: number;
  /** Since the creation, however active. Infinity: for ever. */
  readonly absoluteTtl: number;
}

/** Whether the absolute end has passed. Times are in milliseconds since 1970. */
export function hasEnded(
  createdAt: number,
  { absoluteTtl }: Lifetimes,
  now: number = Date.now(),
): boolean {
  return absoluteTtl !== Infinity && now >= createdAt + absoluteTtl * 1000;
}

/**
 * Seconds to live for the next write or touch: the session's own ttl or the store's, but not past the
 * absolute end, nor past the last second that memcached can count. At least 1, because 0 would be for
 * ever.
 */
export function secondsToLive(
  ownTtl: number | undefined,
  createdAt: number,
  { ttl, absoluteTtl }: Lifetimes,
  now: number = Date.now(),
): number {
  const idle = ownTtl ?? ttl;
  const absolute = absoluteTtl === Infinity
    ? Infinity
    : Math.max(1, Math.ceil((createdAt - now) / 1000 + absoluteTtl));
  const wanted = Math.min(idle === 0 ? Infinity : idle, absolute);
  return wanted === Infinity ? 0 : Math.min(wanted, LAST_SECOND - Math.floor(now / 1000));
}

/**
 * Whether so many seconds left are as good as the wanted ones, so that nothing need be set: at least
 * 15/16 of them, and no more than they are. `wanted` is what {@link secondsToLive} says.
 */
export function isRecent(left: number, wanted: number): boolean {
  if (wanted === 0) return left === Infinity;
  return left <= Math.ceil(wanted) && left >= wanted * 15 / 16;
}

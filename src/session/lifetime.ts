/** How long a session lives: pure functions of its ttl, its absolute end and a clock. */
import { MAX_EXPTIME } from "../protocol/exptime.ts";

// The last second that memcached can count, less a minute: time passes before the command is made.
const LAST_SECOND = MAX_EXPTIME - 60;

/** How long a store's sessions live, in seconds. */
export interface Lifetimes {
  /** Counted from the last request. 0 and Infinity: sessions never expire. */
  readonly ttl: number;
  /** Counted from the session's creation, however active it is. Infinity: no such end. */
  readonly absoluteTtl: number;
}

/** Whether the session's absolute end has passed. Both times are in milliseconds since 1970. */
export function hasEnded(
  createdAt: number,
  { absoluteTtl }: Lifetimes,
  now?: number,
): boolean {
  return absoluteTtl !== Infinity && (now ?? Date.now()) >= createdAt + absoluteTtl * 1000;
}

/**
 * Returns the ttl for the next write or touch, in seconds: the session's own ttl or else the store's, cut at
 * the session's absolute end and at the last second that memcached can count. It is at least 1 where
 * there is an end, because 0 would mean that the session never expires.
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
 * Whether an item that has `remaining` seconds to live can keep its ttl, because that is at least 15/16 of
 * `wanted` and not more than `wanted`. `wanted` comes from {@link secondsToLive}.
 */
export function isRecent(remaining: number, wanted: number): boolean {
  if (wanted === 0) return remaining === Infinity;
  return remaining <= Math.ceil(wanted) && remaining >= wanted * 15 / 16;
}

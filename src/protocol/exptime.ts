/**
 * The rule for ttls: what the caller means in seconds, and memcached's exptime for it (doc/protocol.txt,
 * "Expiration times").
 */
import { kindOf } from "../checks/values.ts";
import { invalidRange, invalidType } from "../errors.ts";

/** 30 days: memcached reads a larger exptime as seconds since 1970. */
export const MAX_RELATIVE_EXPTIME: number = 60 * 60 * 24 * 30;

/**
 * An absolute time in January 1970: an item that is stored with it is gone at once. -1 would do the same,
 * but twemproxy closes the connection when it sees it.
 */
export const PAST_EXPTIME: number = MAX_RELATIVE_EXPTIME + 1;

/** The latest exptime: the server keeps 32 signed bits of it and silently cuts off the rest. */
export const MAX_EXPTIME: number = 2 ** 31 - 1;

/**
 * The exptime for a ttl in seconds: fractions are rounded up, 0 and Infinity never expire, more than 30
 * days become an absolute time.
 *
 * `now` is in milliseconds since 1970, by default what the clock says; `name` is for the message. Throws
 * a `TypeError` for anything but a number, and a `RangeError` for NaN, a negative number, and a ttl that
 * ends after 2038-01-19, as one in milliseconds does.
 */
export function toExptime(ttl: unknown, now?: number, name: string = "ttl"): number {
  if (typeof ttl !== "number") {
    throw invalidType(`${name} must be a number of seconds, not ${kindOf(ttl)}`);
  }
  if (!(ttl >= 0)) throw invalidRange(`${name} must be 0 or more seconds, not ${ttl}`);
  if (ttl === 0 || ttl === Infinity) return 0;
  const seconds = Math.ceil(ttl);
  if (seconds <= MAX_RELATIVE_EXPTIME) return seconds;
  const absolute = Math.floor((now ?? Date.now()) / 1000) + seconds;
  if (absolute > MAX_EXPTIME) {
    throw invalidRange(`${name} must end before 2038-01-19: it is in seconds, not milliseconds`);
  }
  return absolute;
}

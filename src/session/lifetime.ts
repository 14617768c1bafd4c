/** How long a session lives: its idle time and its absolute end, of numbers and a clock alone. */

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
  now?: number,
): boolean {
  return absoluteTtl !== Infinity && (now ?? Date.now()) >= createdAt + absoluteTtl * 1000;
}

/**
 * Seconds to live for the next write or touch: the session's own or the store's, but not past the
 * absolute end; at least 1, for 0 would be for ever.
 */
export function secondsToLive(
  ownTtl: number | undefined,
  createdAt: number,
  { ttl, absoluteTtl }: Lifetimes,
  now?: number,
): number {
  const idle = ownTtl ?? ttl;
  if (absoluteTtl === Infinity) return idle;
  const left = Math.max(1, Math.ceil((createdAt - (now ?? Date.now())) / 1000 + absoluteTtl));
  return idle === 0 ? left : Math.min(idle, left);
}

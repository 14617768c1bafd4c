/** When to look again whether a server that went down is back. */

const FIRST_MS = 100;
const MAX_MS = 5_000;
const SPREAD = 0.2;

/**
 * Milliseconds to wait before the next probe after `failures` failed ones: 100, doubling to 5,000, give
 * or take a fifth, so that many processes do not probe at the same moment. `random` is from 0 to 1.
 */
export function probeDelay(failures: number, random: number): number {
  const base = Math.min(MAX_MS, FIRST_MS * 2 ** Math.min(failures, 16));
  return base * (1 - SPREAD + 2 * SPREAD * random);
}

/** Scanning decimal digits out of a reply's line. */
import type { Buffer } from "node:buffer";
import { SPACE, ZERO } from "./ascii.ts";

// A double holds every integer of 15 digits exactly.
const EXACT_DIGITS = 15;

/** The end of the digits that begin at `at`. The line feed behind the received bytes ends the scan. */
export function digitsEnd(bytes: Buffer, at: number): number {
  let p = at;
  while (isDigit(bytes[p]!)) p++;
  return p;
}

/** The number that the digits from `from` to `to` write; exact up to 15 digits. */
export function readNumber(bytes: Buffer, from: number, to: number): number {
  let n = 0;
  for (let p = from; p < to; p++) n = n * 10 + (bytes[p]! - ZERO);
  return n;
}

/** A cas token, as a number if that is exact, else as its digits. */
export function readToken(bytes: Buffer, from: number, to: number): number | string {
  return to - from <= EXACT_DIGITS
    ? readNumber(bytes, from, to)
    : bytes.toString("latin1", from, to);
}

// 2^64 - 1 has this many digits.
const MAX_COUNT_DIGITS = 20;

/**
 * Whether the bytes are a counter's: digits, then perhaps spaces, which old servers leave when `decr`
 * makes a number shorter.
 */
export function isCount(bytes: Buffer, from: number, to: number): boolean {
  if (to - from > MAX_COUNT_DIGITS) return false;
  let p = digitsEnd(bytes, from);
  if (p === from) return false;
  while (p < to && bytes[p] === SPACE) p++;
  return p === to;
}

/** Whether the byte is one of 0 to 9. */
export function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= ZERO + 9;
}

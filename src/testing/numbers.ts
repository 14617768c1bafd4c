/**
 * Reads numbers as C does, because that decides which requests memcached accepts. Leading white space and a
 * sign are allowed, and anything may follow after white space. A number that does not fit is cut to its lower
 * bits, unless it does not even fit 64 bits.
 */

const NUMBER = /^[\t-\r ]*([+-]?)0*([0-9]+)(.?)/s;
const MOST_DIGITS = 20;
const ENDS_NUMBER = /^[\t-\r \0]?$/;

interface Digits {
  readonly negative: boolean;
  readonly magnitude: bigint;
}

function readDigits(text: string): Digits | undefined {
  const parts = NUMBER.exec(text);
  if (parts === null || !ENDS_NUMBER.test(parts[3]!)) return undefined;
  // A number with more digits does not fit 64 bits, and could take seconds to read.
  if (parts[2]!.length > MOST_DIGITS) return undefined;
  return { negative: parts[1] === "-", magnitude: BigInt(parts[2]!) };
}

/** Reads an unsigned 64-bit number, or returns undefined. */
export function parseUint64(text: string): bigint | undefined {
  const digits = readDigits(text);
  if (digits === undefined || digits.magnitude > 0xffff_ffff_ffff_ffffn) return undefined;
  const value = BigInt.asUintN(64, digits.negative ? -digits.magnitude : digits.magnitude);
  // C wraps -1 around to a huge number. Only then does memcached look for a minus sign, anywhere in the text.
  if (value >= 1n << 63n && beforeNul(text).includes("-")) return undefined;
  return value;
}

/** Reads an unsigned 64-bit number and keeps its lower 32 bits, or returns undefined. */
export function parseUint32(text: string): number | undefined {
  const value = parseUint64(text);
  return value === undefined ? undefined : Number(BigInt.asUintN(32, value));
}

/** Reads a signed 64-bit number and keeps its lower 32 bits, or returns undefined. */
export function parseInt32(text: string): number | undefined {
  const digits = readDigits(text);
  if (digits === undefined) return undefined;
  const value = digits.negative ? -digits.magnitude : digits.magnitude;
  if (BigInt.asIntN(64, value) !== value) return undefined;
  return Number(BigInt.asIntN(32, value));
}

function beforeNul(text: string): string {
  const nul = text.indexOf("\0");
  return nul < 0 ? text : text.slice(0, nul);
}

/** Text and numbers among stored bytes, as several clients write them. */
import type { Buffer } from "node:buffer";
import { CorruptValueError } from "../../errors.ts";
import { decodeUtf8, isUtf8 } from "../../protocol/text.ts";

/** Reads text, which must be UTF-8: PHP's clients have compressed values under the same flags as others have text. */
export function readText(bytes: Buffer, from: number, to: number, flags: number): string {
  const text = readUtf8(bytes, from, to);
  if (text !== undefined) return text;
  throw new CorruptValueError(`flags ${flags}: the value is not UTF-8`, { flags });
}

/** The text, or undefined if the bytes are not UTF-8. */
export function readUtf8(bytes: Buffer, from: number, to: number): string | undefined {
  const text = decodeUtf8(bytes, from, to);
  // What is no UTF-8 has become U+FFFD, but that may be what was stored. To ask costs next to nothing:
  // most strings have one byte a character, and none of those is U+FFFD.
  return text.includes("\ufffd") && !isUtf8(bytes.subarray(from, to)) ? undefined : text;
}

/**
 * Reads the digits of an integer, and the spaces that decr leaves behind one that has become shorter: a
 * number while it is exact, else a bigint.
 */
export function readInteger(text: string, flags: number): number | bigint {
  const digits = integerDigits(text, flags);
  const number = Number(digits);
  return Number.isSafeInteger(number) ? number : BigInt(digits);
}

/** The same, always as a bigint. */
export function readBigInt(text: string, flags: number): bigint {
  return BigInt(integerDigits(text, flags));
}

function integerDigits(text: string, flags: number): string {
  const digits = text.trimEnd();
  if (/^-?[0-9]+$/.test(digits)) return digits;
  throw new CorruptValueError(`flags ${flags}: the value is not an integer`, { flags });
}

/** Reads a number as JavaScript and PHP write it. */
export function readNumber(text: string, flags: number): number {
  const digits = text.trimEnd();
  if (/^-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$|^-?Infinity$|^NaN$/i.test(digits)) return Number(digits);
  throw new CorruptValueError(`flags ${flags}: the value is not a number`, { flags });
}

/** The bytes as a plain `Uint8Array` over a buffer of its own. */
export function readBytes(bytes: Buffer, from: number, to: number): Uint8Array {
  return new Uint8Array(bytes.subarray(from, to));
}

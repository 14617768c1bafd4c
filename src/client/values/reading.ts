/** Reads text and numbers from stored bytes, in the forms that several clients share. */
import type { Buffer } from "node:buffer";
import { CorruptValueError } from "../../errors.ts";
import { decodeAscii, decodeUtf8, isUtf8 } from "../../protocol/text.ts";

/**
 * Reads text, which must be UTF-8: PHP's clients use the flags of other clients' text for compressed values.
 * `ascii`: it is known to be ASCII.
 */
export function readText(
  bytes: Buffer,
  from: number,
  to: number,
  flags: number,
  ascii: boolean = false,
): string {
  if (ascii) return decodeAscii(bytes, from, to);
  const text = readUtf8(bytes, from, to);
  if (text !== undefined) return text;
  throw new CorruptValueError(`flags ${flags}: the value is not UTF-8`, { flags });
}

/** The text, or undefined if the bytes are not UTF-8. */
export function readUtf8(bytes: Buffer, from: number, to: number): string | undefined {
  const text = decodeUtf8(bytes, from, to);
  // Decoding turns invalid UTF-8 into U+FFFD, but U+FFFD may also be what was stored. The search costs next to
  // nothing: most strings have one byte for each character, and those cannot contain U+FFFD.
  return text.includes("\ufffd") && !isUtf8(bytes.subarray(from, to)) ? undefined : text;
}

/**
 * Reads the digits of an integer, as a number if that is exact, otherwise as a bigint. Spaces may follow: decr
 * leaves them when a number becomes shorter.
 */
export function readInteger(text: string, flags: number): number | bigint {
  const digits = integerDigits(text, flags);
  const number = Number(digits);
  return Number.isSafeInteger(number) ? number : BigInt(digits);
}

/** Reads an integer as `readInteger` does, but always as a bigint. */
export function readBigInt(text: string, flags: number): bigint {
  return BigInt(integerDigits(text, flags));
}

function integerDigits(text: string, flags: number): string {
  const digits = text.trimEnd();
  if (/^-?[0-9]+$/.test(digits)) return digits;
  throw new CorruptValueError(`flags ${flags}: the value is not an integer`, { flags });
}

/** Reads a number in the form that JavaScript or PHP writes. */
export function readNumber(text: string, flags: number): number {
  const digits = text.trimEnd();
  if (/^-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$|^-?Infinity$|^NaN$/i.test(digits)) return Number(digits);
  throw new CorruptValueError(`flags ${flags}: the value is not a number`, { flags });
}

/** The bytes as a plain `Uint8Array` with its own buffer. */
export function readBytes(bytes: Buffer, from: number, to: number): Uint8Array {
  return new Uint8Array(bytes.subarray(from, to));
}

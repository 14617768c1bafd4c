/** Keys that are sent as base64 (meta flag `b`). Reading them is as lenient as in memcached. */
import { Buffer } from "node:buffer";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const SEXTET = new Map([...ALPHABET].map((letter, value) => [letter, value]));
SEXTET.set("=", 0);

/** Encodes bytes, one per character, as base64 with padding. */
export function encodeBase64(bytes: string): string {
  return Buffer.from(bytes, "latin1").toString("base64");
}

/**
 * Decodes base64 into bytes, one per character, or returns undefined. Characters outside the alphabet are
 * skipped, the number of the others must be a multiple of four, and the first four with padding end the text.
 */
export function decodeBase64(text: string): string | undefined {
  const letters = [...text].filter((letter) => SEXTET.has(letter));
  if (letters.length === 0 || letters.length % 4 !== 0) return undefined;
  let bytes = "";
  for (let at = 0; at < letters.length; at += 4) {
    const four = letters.slice(at, at + 4);
    const bits = four.reduce((sum, letter) => (sum << 6) | SEXTET.get(letter)!, 0);
    const three = String.fromCharCode((bits >> 16) & 0xff, (bits >> 8) & 0xff, bits & 0xff);
    const padding = four.filter((letter) => letter === "=").length;
    if (padding > 2) return undefined;
    bytes += three.slice(0, 3 - padding);
    if (padding > 0) break;
  }
  return bytes;
}

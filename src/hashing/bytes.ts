/** The bytes of a key, for the hash functions. */

const encoder = new TextEncoder();
const scratch = new Uint8Array(1024);

/**
 * The text's UTF-8, as every client but pymemcache and memjs hashes a key. The next call overwrites it.
 */
export function utf8(text: string): Uint8Array {
  if (text.length * 3 > scratch.length) return encoder.encode(text);
  return scratch.subarray(0, encoder.encodeInto(text, scratch).written);
}

/** The bytes of a key, for the hash functions. */

const encoder = new TextEncoder();

/** UTF-8, as every client but pymemcache and memjs sees a key. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

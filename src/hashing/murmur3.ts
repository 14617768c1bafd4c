/**
 * MurmurHash3, 32 bits, seed 0, as pymemcache computes it (client/murmur3.py): over the characters
 * of a Python `str`, of each code point only the low eight bits, and not over UTF-8.
 *
 * For each key, a rendezvous hashes many texts that differ only in their beginning, the server. So the
 * state after each beginning is kept, and the hash goes on from there.
 */

/** The state of a hash after the beginning of a text. */
interface Murmur3Start {
  /** State after the whole blocks of four bytes. */
  readonly hash: number;
  /** The bytes after them, first one lowest. */
  readonly pending: number;
  /** Bytes in all. */
  readonly length: number;
}

/** The low eight bits of each code point. */
export function lowBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const surrogate = (code & 0xf800) === 0xd800;
    if (surrogate) return Uint8Array.from(text, (character) => character.codePointAt(0)!);
    bytes[i] = code;
  }
  return bytes;
}

/** The state after a text's beginning. */
export function murmur3Start(text: string): Murmur3Start {
  const bytes = lowBytes(text);
  let hash = 0;
  let pending = 0;
  bytes.forEach((byte, i) => {
    pending |= byte << ((i & 3) << 3);
    if ((i & 3) === 3) {
      hash = mix(hash, pending);
      pending = 0;
    }
  });
  return { hash, pending, length: bytes.length };
}

/** The hash of a beginning followed by `rest`, unsigned. */
export function murmur3(start: Murmur3Start, rest: Uint8Array): number {
  let { hash, pending } = start;
  let shift = (start.length & 3) << 3;
  for (let i = 0; i < rest.length; i++) {
    pending |= rest[i]! << shift;
    if (shift === 24) {
      hash = mix(hash, pending);
      pending = 0;
    }
    shift = (shift + 8) & 31;
  }
  hash ^= scramble(pending) ^ (start.length + rest.length);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function mix(hash: number, word: number): number {
  hash ^= scramble(word);
  hash = (hash << 13) | (hash >>> 19);
  return (Math.imul(hash, 5) + 0xe6546b64) | 0;
}

function scramble(word: number): number {
  word = Math.imul(word, 0xcc9e2d51);
  return Math.imul((word << 15) | (word >>> 17), 0x1b873593);
}

/**
 * SHA-1 (FIPS 180-4) as dalli's ring needs it: the first word of the digest. It is written out here
 * because a ring of 1,000 servers has 160,000 points, a quarter of a second of calls of `node:crypto`.
 */
import { BIG_ENDIAN, eachBlock } from "./blocks.ts";

const block = new Int32Array(16);
const state = new Int32Array(5);

/** The digest's first four bytes as a big-endian number: its first eight hexadecimal digits. */
export function sha1Word(text: string): number {
  state[0] = 0x67452301;
  state[1] = 0xefcdab89;
  state[2] = 0x98badcfe;
  state[3] = 0x10325476;
  state[4] = 0xc3d2e1f0;
  eachBlock(text, BIG_ENDIAN, block, compress);
  return state[0]! >>> 0;
}

/** FIPS 180-4 section 6.1.3: the 80 words of the schedule are kept in the block's 16, in turn. */
function compress(): void {
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  let e = state[4]!;
  for (let i = 0; i < 80; i++) {
    const at = i & 15;
    let word = block[at]!;
    if (i >= 16) {
      word ^= block[(i + 13) & 15]! ^ block[(i + 8) & 15]! ^
        block[(i + 2) & 15]!;
      word = (word << 1) | (word >>> 31);
      block[at] = word;
    }
    let mixed: number;
    if (i < 20) mixed = ((b & c) | (~b & d)) + 0x5a827999;
    else if (i < 40) mixed = (b ^ c ^ d) + 0x6ed9eba1;
    else if (i < 60) mixed = ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
    else mixed = (b ^ c ^ d) + 0xca62c1d6;
    const next = (((a << 5) | (a >>> 27)) + mixed + e + word) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = next;
  }
  state[0] = (state[0]! + a) | 0;
  state[1] = (state[1]! + b) | 0;
  state[2] = (state[2]! + c) | 0;
  state[3] = (state[3]! + d) | 0;
  state[4] = (state[4]! + e) | 0;
}

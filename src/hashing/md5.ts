/**
 * MD5 (RFC 1321) as the presets with a ring need it: 32-bit words of the digest, without an allocation
 * for short ASCII text. It is written out here because a call of `node:crypto` costs two to four times as
 * much for a key.
 */
import { eachBlock, LITTLE_ENDIAN } from "./blocks.ts";

const SINES = Int32Array.from(
  { length: 64 },
  (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32) | 0,
);

const block = new Int32Array(16);
const state = new Int32Array(4);

/** The digest's first four bytes as a little-endian number: ketama's hash of a key. */
export function md5Word(text: string): number {
  digest(text);
  return state[0]! >>> 0;
}

/** The digest as four little-endian numbers: ketama's four points of a name. */
export function md5Words(text: string): [number, number, number, number] {
  digest(text);
  return [state[0]! >>> 0, state[1]! >>> 0, state[2]! >>> 0, state[3]! >>> 0];
}

/** Leaves the digest of the text's UTF-8 in `state`. */
function digest(text: string): void {
  state[0] = 0x67452301;
  state[1] = 0xefcdab89;
  state[2] = 0x98badcfe;
  state[3] = 0x10325476;
  eachBlock(text, LITTLE_ENDIAN, block, compress);
}

/**
 * RFC 1321 section 3.4, one block. A loop for each round takes four fifths of the time of one loop for all,
 * which has to find out in each step which round it is.
 */
function compress(): void {
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  for (let i = 0; i < 16; i += 4) {
    a = (b + rotate(a + ((b & c) | (~b & d)) + SINES[i]! + block[i]!, 7)) | 0;
    d = (a + rotate(d + ((a & b) | (~a & c)) + SINES[i + 1]! + block[i + 1]!, 12)) | 0;
    c = (d + rotate(c + ((d & a) | (~d & b)) + SINES[i + 2]! + block[i + 2]!, 17)) | 0;
    b = (c + rotate(b + ((c & d) | (~c & a)) + SINES[i + 3]! + block[i + 3]!, 22)) | 0;
  }
  for (let i = 16; i < 32; i += 4) {
    a = (b + rotate(a + ((d & b) | (~d & c)) + SINES[i]! + block[(5 * i + 1) & 15]!, 5)) | 0;
    d = (a + rotate(d + ((c & a) | (~c & b)) + SINES[i + 1]! + block[(5 * i + 6) & 15]!, 9)) | 0;
    c = (d + rotate(c + ((b & d) | (~b & a)) + SINES[i + 2]! + block[(5 * i + 11) & 15]!, 14)) | 0;
    b = (c + rotate(b + ((a & c) | (~a & d)) + SINES[i + 3]! + block[(5 * i + 16) & 15]!, 20)) | 0;
  }
  for (let i = 32; i < 48; i += 4) {
    a = (b + rotate(a + (b ^ c ^ d) + SINES[i]! + block[(3 * i + 5) & 15]!, 4)) | 0;
    d = (a + rotate(d + (a ^ b ^ c) + SINES[i + 1]! + block[(3 * i + 8) & 15]!, 11)) | 0;
    c = (d + rotate(c + (d ^ a ^ b) + SINES[i + 2]! + block[(3 * i + 11) & 15]!, 16)) | 0;
    b = (c + rotate(b + (c ^ d ^ a) + SINES[i + 3]! + block[(3 * i + 14) & 15]!, 23)) | 0;
  }
  for (let i = 48; i < 64; i += 4) {
    a = (b + rotate(a + (c ^ (b | ~d)) + SINES[i]! + block[(7 * i) & 15]!, 6)) | 0;
    d = (a + rotate(d + (b ^ (a | ~c)) + SINES[i + 1]! + block[(7 * i + 7) & 15]!, 10)) | 0;
    c = (d + rotate(c + (a ^ (d | ~b)) + SINES[i + 2]! + block[(7 * i + 14) & 15]!, 15)) | 0;
    b = (c + rotate(b + (d ^ (c | ~a)) + SINES[i + 3]! + block[(7 * i + 21) & 15]!, 21)) | 0;
  }
  state[0] = (state[0]! + a) | 0;
  state[1] = (state[1]! + b) | 0;
  state[2] = (state[2]! + c) | 0;
  state[3] = (state[3]! + d) | 0;
}

/** The lower 32 bits of a sum, rotated to the left. */
function rotate(sum: number, bits: number): number {
  const word = sum | 0;
  return (word << bits) | (word >>> (32 - bits));
}

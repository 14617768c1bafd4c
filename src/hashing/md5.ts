/**
 * MD5 (RFC 1321) as the presets with a ring need it: 32-bit words of the digest, without an allocation
 * for short ASCII text. It is written out here because a call of `node:crypto` costs two to four times as
 * much for a key.
 */
import { eachBlock, LITTLE_ENDIAN } from "./blocks.ts";

const SHIFTS = Uint8Array.of(7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21);
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

/** RFC 1321 section 3.4, one block. */
function compress(): void {
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  for (let i = 0; i < 64; i++) {
    const round = i >> 4;
    let mixed: number;
    let word: number;
    if (round === 0) {
      mixed = (b & c) | (~b & d);
      word = i;
    } else if (round === 1) {
      mixed = (d & b) | (~d & c);
      word = (5 * i + 1) & 15;
    } else if (round === 2) {
      mixed = b ^ c ^ d;
      word = (3 * i + 5) & 15;
    } else {
      mixed = c ^ (b | ~d);
      word = (7 * i) & 15;
    }
    const sum = (a + mixed + SINES[i]! + block[word]!) | 0;
    const shift = SHIFTS[(round << 2) | (i & 3)]!;
    a = d;
    d = c;
    c = b;
    b = (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0;
  }
  state[0] = (state[0]! + a) | 0;
  state[1] = (state[1]! + b) | 0;
  state[2] = (state[2]! + c) | 0;
  state[3] = (state[3]! + d) | 0;
}

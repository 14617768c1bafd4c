/** What MD5 and SHA-1 share: a text's UTF-8 cut into blocks of 16 words, padded (RFC 1321, 3.1 and 3.2). */
import { utf8 } from "./bytes.ts";

/** MD5's order of the bytes in a word: a byte's index XORed with this is its place, the lowest first. */
export const LITTLE_ENDIAN = 0;

/** SHA-1's order of a word's bytes. */
export const BIG_ENDIAN = 3;

/** Either of them. */
type Endian = typeof LITTLE_ENDIAN | typeof BIG_ENDIAN;

/** Longest text that fits one block with its end mark and its length. */
const ONE_BLOCK = 55;

/** Fills `block` with each block of the text in turn and calls `compress`. */
export function eachBlock(
  text: string,
  endian: Endian,
  block: Int32Array,
  compress: () => void,
): void {
  const length = text.length;
  if (length > ONE_BLOCK) return eachBlockOf(utf8(text), endian, block, compress);
  let word = 0;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return eachBlockOf(utf8(text), endian, block, compress);
    word |= code << shiftOf(i, endian);
    if ((i & 3) < 3) continue;
    block[i >> 2] = word;
    word = 0;
  }
  block[length >> 2] = word | (0x80 << shiftOf(length, endian));
  // A call of fill() for these few words takes 40 ns.
  for (let i = (length >> 2) + 1; i < block.length; i++) block[i] = 0;
  block[endian === LITTLE_ENDIAN ? 14 : 15] = length << 3;
  compress();
}

function eachBlockOf(
  bytes: Uint8Array,
  endian: Endian,
  block: Int32Array,
  compress: () => void,
): void {
  const length = bytes.length;
  const last = (length + 8) >>> 6;
  for (let n = 0; n <= last; n++) {
    const start = n << 6;
    block.fill(0);
    for (let i = 0; i < 64 && start + i < length; i++) {
      put(block, i, bytes[start + i]!, endian);
    }
    if (length >>> 6 === n) put(block, length & 63, 0x80, endian);
    if (n === last) block[endian === LITTLE_ENDIAN ? 14 : 15] = length << 3;
    compress();
  }
}

function put(block: Int32Array, index: number, byte: number, endian: Endian): void {
  const word = index >> 2;
  block[word] = block[word]! | (byte << shiftOf(index, endian));
}

/** How far a byte is shifted into its word. */
function shiftOf(index: number, endian: Endian): number {
  return ((index & 3) ^ endian) << 3;
}

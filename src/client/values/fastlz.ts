/**
 * FastLZ, both levels (its fastlz.c): PHP's default compression.
 *
 * The upper 3 bits of the first byte hold the level. An instruction n below 32 copies the next n + 1 bytes of
 * the input. Any other instruction copies bytes from the output so far: it has 3 bits of length and 13 bits of
 * distance, and longer values continue in the bytes that follow.
 */
import { Buffer } from "node:buffer";

const LEVEL_2 = 1;
const LITERALS = 32;
const LONG_MATCH = 6;
const FAR = 31 << 8;
// A distance that does not fit in 13 bits has two more bytes, which count from the largest one that fits.
const FAR_BASE = 8191;

/** The plain bytes. Throws a RangeError if the input is damaged, or has more than `length` bytes. */
export function expandFastLz(input: Uint8Array, length: number): Buffer {
  const output = Buffer.alloc(length);
  const level2 = input[0]! >> 5 === LEVEL_2;
  let at = 0;
  let filled = 0;
  const next = (): number => {
    const byte = input[at++];
    if (byte === undefined) throw new RangeError("the value ends too early");
    return byte;
  };
  const put = (byte: number): void => {
    if (filled === length) throw new RangeError("the value is longer than it states");
    output[filled++] = byte;
  };
  for (let first = true; at < input.length; first = false) {
    const code = first ? next() & 31 : next();
    if (code < LITERALS) {
      for (let count = code + 1; count > 0; count--) put(next());
      continue;
    }
    let count = (code >> 5) - 1;
    if (count === LONG_MATCH) {
      let more = next();
      count += more;
      while (level2 && more === 255) count += more = next();
    }
    const high = (code & 31) << 8;
    const low = next();
    let distance = high + low + 1;
    if (level2 && low === 255 && high === FAR) {
      distance = (next() << 8) + next() + FAR_BASE + 1;
    }
    if (distance > filled) throw new RangeError("the value refers to bytes before its start");
    for (count += 3; count > 0; count--) put(output[filled - distance]!);
  }
  return output.subarray(0, filled);
}

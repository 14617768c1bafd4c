/** Writes the format's numbers and strings into one growing buffer. */
import { Buffer } from "node:buffer";

/** The first size of the buffer in bytes, and the largest size that it keeps for the next value. */
const SMALL = 16_384;
const KEPT = 262_144;

/**
 * Up to this many characters a string is copied by a loop, longer ones by one native call. Measured in ns at
 * 20/36/128 characters, the loop against `Buffer.write`: Node 20 36/59/183 against 65/73/80, Node 24
 * 26/44/148 against 26/33/51, Deno 25/37/136 against 131/142/114, Bun 15/38/103 against 52/66/36.
 */
const LOOP_MAX = 40;

/** Doubles become bytes through this array; `writeDoubleLE` takes 6 to 9 % of all encoding in Node 20. */
const DOUBLE = new Float64Array(1);
const DOUBLE_BYTES = new Uint8Array(DOUBLE.buffer);

/** A buffer that grows, a position in it, and the layouts of numbers and strings. */
export class Writer {
  buf: Buffer = Buffer.allocUnsafeSlow(SMALL);
  pos = 0;

  /** Makes room for `bytes` more bytes. */
  room(bytes: number): void {
    if (this.pos + bytes > this.buf.length) this.#grow(bytes);
  }

  #grow(bytes: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.buf.length, this.pos + bytes));
    this.buf.copy(larger, 0, 0, this.pos);
    this.buf = larger;
  }

  /** Returns a view on what has been written. A buffer that has grown past `KEPT` is replaced by a small one. */
  written(): Uint8Array<ArrayBuffer> {
    const { buf, pos } = this;
    if (buf.length > KEPT) this.buf = Buffer.allocUnsafeSlow(SMALL);
    return new Uint8Array(buf.buffer as ArrayBuffer, buf.byteOffset, pos);
  }

  /** Writes one byte, usually a tag. Needs room for it. */
  byte(byte: number): void {
    this.buf[this.pos++] = byte;
  }

  /** Writes 0 to 2^32 - 1 as unsigned LEB128, which takes at most 5 bytes. Needs room for them. */
  varint(value: number): void {
    const buf = this.buf;
    let at = this.pos;
    while (value > 0x7f) {
      buf[at++] = (value & 0x7f) | 0x80;
      value >>>= 7;
    }
    buf[at++] = value;
    this.pos = at;
  }

  /** Writes a double as 8 bytes in the host's byte order, as V8 does. Needs room for them. */
  double(value: number): void {
    DOUBLE[0] = value;
    const { buf, pos } = this;
    for (let i = 0; i < 8; i++) buf[pos + i] = DOUBLE_BYTES[i]!;
    this.pos = pos + 8;
  }

  /** Writes `I` and a zigzag varint for an int32 other than -0, else `N` and a double. Needs room for 9 bytes. */
  number(value: number): void {
    if ((value | 0) === value && !Object.is(value, -0)) {
      this.byte(0x49); // I
      this.varint(((value << 1) ^ (value >> 31)) >>> 0);
    } else {
      this.byte(0x4e); // N
      this.double(value);
    }
  }

  /** Writes bytes as they are. */
  raw(bytes: Uint8Array): void {
    this.room(bytes.length);
    this.buf.set(bytes, this.pos);
    this.pos += bytes.length;
  }

  /** Writes a length and as many bytes. */
  sized(bytes: Uint8Array): void {
    this.room(5);
    this.varint(bytes.length);
    this.raw(bytes);
  }

  /** Writes a string: as `"` if all characters are Latin-1, else as `c`. */
  string(value: string): void {
    const length = value.length;
    if (length > LOOP_MAX) return this.#longString(value);
    this.room(length + 2);
    const buf = this.buf;
    const start = this.pos;
    let at = start + 2;
    for (let i = 0; i < length; i++) {
      const char = value.charCodeAt(i);
      if (char > 0xff) return this.#twoByte(value);
      buf[at++] = char;
    }
    buf[start] = 0x22; // "
    buf[start + 1] = length;
    this.pos = at;
  }

  #longString(value: string): void {
    const length = value.length;
    // If the string has as many UTF-8 bytes as characters, it is ASCII. There must be room for 4 bytes more:
    // else a 4-byte character that does not fit at the end could bring the count back to `length`.
    this.room(length + 10);
    const start = this.pos;
    this.byte(0x22); // "
    this.varint(length);
    if (this.buf.write(value, this.pos, length + 4) === length) {
      this.pos += length;
      return;
    }
    const { buf, pos } = this;
    for (let i = 0; i < length; i++) {
      const char = value.charCodeAt(i);
      if (char > 0xff) {
        this.pos = start;
        return this.#twoByte(value);
      }
      buf[pos + i] = char;
    }
    this.pos += length;
  }

  /** Writes `c` and UTF-16LE, with padding before the tag so that the characters start at an even offset. */
  #twoByte(value: string): void {
    const bytes = 2 * value.length;
    this.room(bytes + 7);
    if ((this.pos + 1 + varintLength(bytes)) & 1) this.byte(0);
    this.byte(0x63); // c
    this.varint(bytes);
    const buf = this.buf;
    let at = this.pos;
    for (let i = 0; i < value.length; i++) {
      const char = value.charCodeAt(i);
      buf[at++] = char;
      buf[at++] = char >>> 8;
    }
    this.pos = at;
  }

  /** Writes the body of `Z` or `z`: a bit field of sign and byte length, then the magnitude in 8-byte digits. */
  bigint(value: bigint): void {
    const negative = value < 0n;
    let hex = (negative ? -value : value).toString(16);
    if (value === 0n) hex = "";
    hex = hex.padStart(16 * Math.ceil(hex.length / 16), "0");
    const magnitude = Buffer.from(hex, "hex").reverse();
    this.room(5);
    this.varint(magnitude.length * 2 + (negative ? 1 : 0));
    this.raw(magnitude);
  }
}

function varintLength(value: number): number {
  let length = 1;
  while ((value >>>= 7) > 0) length++;
  return length;
}

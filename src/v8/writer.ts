/**
 * The bytes of a value in the making: one growing buffer and the format's number and string layouts.
 */
import { Buffer } from "node:buffer";

/** What a buffer has at first, and what it may keep from one value to the next, bytes. */
const SMALL = 16_384;
const KEPT = 262_144;

/**
 * Up to this many characters a string is copied by a loop, above it by one native call. Measured at
 * 20 / 36 / 128 characters, ns, loop and `Buffer.write`: Node 20 36/59/183 and 65/73/80, Node 24
 * 26/44/148 and 26/33/51, Deno 25/37/136 and 131/142/114, Bun 15/38/103 and 52/66/36.
 */
const LOOP_MAX = 40;

/** Through here doubles become bytes: `writeDoubleLE` takes 6 to 9 % of all encoding in Node 20. */
const DOUBLE = new Float64Array(1);
const DOUBLE_BYTES = new Uint8Array(DOUBLE.buffer);

/** A buffer that grows, a position in it, and the layouts that all tags share. */
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

  /** What has been written, for a look; a buffer that has grown giant is given up. */
  written(): Uint8Array<ArrayBuffer> {
    const { buf, pos } = this;
    if (buf.length > KEPT) this.buf = Buffer.allocUnsafeSlow(SMALL);
    return new Uint8Array(buf.buffer as ArrayBuffer, buf.byteOffset, pos);
  }

  /** One byte, mostly a tag; needs room for it. */
  byte(byte: number): void {
    this.buf[this.pos++] = byte;
  }

  /** Unsigned LEB128 of 0 to 2^32 - 1: 5 bytes at most; needs room for them. */
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

  /** 8 bytes in the host's order, as V8 has them; needs room for them. */
  double(value: number): void {
    DOUBLE[0] = value;
    const { buf, pos } = this;
    for (let i = 0; i < 8; i++) buf[pos + i] = DOUBLE_BYTES[i]!;
    this.pos = pos + 8;
  }

  /** A number value: `I` zigzag varint for an int32 other than -0, else `N` double; needs room for 9 bytes. */
  number(value: number): void {
    if ((value | 0) === value && !Object.is(value, -0)) {
      this.byte(0x49); // I
      this.varint(((value << 1) ^ (value >> 31)) >>> 0);
    } else {
      this.byte(0x4e); // N
      this.double(value);
    }
  }

  /** Bytes as they are. */
  raw(bytes: Uint8Array): void {
    this.room(bytes.length);
    this.buf.set(bytes, this.pos);
    this.pos += bytes.length;
  }

  /** Length and bytes. */
  sized(bytes: Uint8Array): void {
    this.room(5);
    this.varint(bytes.length);
    this.raw(bytes);
  }

  /** A string value: `"` if all characters are Latin-1, else `c`. */
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
    // As many UTF-8 bytes as characters prove ASCII, but only where more would fit: a character of
    // 4 bytes that is cut off at the end must not bring the count back down to `length`.
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

  /** `c`: UTF-16LE, padded before the tag so that the characters start at an even offset. */
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

  /** A `Z` or `z` body: sign and byte length as a bit field, then the magnitude in 8-byte digits. */
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

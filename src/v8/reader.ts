/**
 * Reads the format's numbers and strings from the bytes of a stored value. It keeps a position and never
 * reads past the end.
 */
import { Buffer } from "node:buffer";
import { CorruptValueError } from "../errors.ts";
import { decodeLatin1 } from "../protocol/text.ts";
import { SHORT, shortString } from "./short_string.ts";

/** The flags of a value in V8's format. */
const V8_FLAGS = 256;

/** Makes the error for bytes that are not a value. It never quotes them. */
export function corrupt(reason: string, cause?: unknown): CorruptValueError {
  return new CorruptValueError(`not a value in V8's format: ${reason}`, {
    flags: V8_FLAGS,
    cause,
  });
}

/** Bytes become doubles through this shared array, as in `writer.ts`. */
const DOUBLE = new Float64Array(1);
const DOUBLE_BYTES = new Uint8Array(DOUBLE.buffer);

/** Reads bytes from `pos` to `end`. Throws {@linkcode CorruptValueError} rather than read past `end`. */
export class Reader {
  readonly buf: Buffer;
  pos: number;
  readonly end: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.buf = bytes instanceof Buffer
      ? bytes
      : Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
    this.pos = start;
    this.end = end;
  }

  /** Reads one byte. */
  byte(): number {
    if (this.pos >= this.end) throw corrupt("it ends too early");
    return this.buf[this.pos++]!;
  }

  /** Skips `length` bytes, which must be there. Returns the offset at which they began. */
  skip(length: number): number {
    const start = this.pos;
    if (length > this.end - start) throw corrupt("it ends too early");
    this.pos = start + length;
    return start;
  }

  /** Reads an unsigned LEB128 number of up to 32 bits. */
  varint(): number {
    let byte = this.byte();
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    for (let shift = 7; shift < 28; shift += 7) {
      byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    byte = this.byte();
    if (byte > 0x0f) throw corrupt("it has a number of more than 32 bits");
    return (value | (byte << 28)) >>> 0;
  }

  /** Reads a zigzag varint, which is an int32. */
  zigzag(): number {
    const value = this.varint();
    return (value >>> 1) ^ -(value & 1);
  }

  /** Reads a double: 8 bytes in the host's byte order, as V8 writes them. */
  double(): number {
    const start = this.skip(8);
    for (let i = 0; i < 8; i++) DOUBLE_BYTES[i] = this.buf[start + i]!;
    return DOUBLE[0]!;
  }

  /** Reads `length` characters of one byte each. */
  latin1(length: number): string {
    const start = this.skip(length);
    return length <= SHORT
      ? shortString(this.buf, start, length)
      : decodeLatin1(this.buf, start, start + length);
  }

  /** Reads UTF-16LE, and keeps unpaired surrogates. */
  utf16(bytes: number): string {
    if (bytes & 1) throw corrupt("it has half a character");
    const start = this.skip(bytes);
    return this.buf.toString("utf16le", start, start + bytes);
  }

  /** Reads UTF-8. */
  utf8(bytes: number): string {
    const start = this.skip(bytes);
    return this.buf.toString("utf8", start, start + bytes);
  }

  /** Reads `length` bytes without copying them. The caller must copy what it keeps. */
  bytes(length: number): Uint8Array {
    const start = this.skip(length);
    return this.buf.subarray(start, start + length);
  }

  /** Reads `length` bytes into memory of their own. */
  copy(length: number): Uint8Array<ArrayBuffer> {
    const bytes = this.bytes(length);
    const copy = new Uint8Array(length);
    copy.set(bytes);
    return copy;
  }

  /** Reads the body of `Z` or `z`: a bit field of sign and byte length, then the magnitude. */
  bigint(): bigint {
    const bits = this.varint();
    const length = bits >>> 1;
    if (length === 0) {
      if (bits === 0) return 0n;
      throw corrupt("it has a bigint of negative zero");
    }
    const magnitude = length === 8
      ? this.buf.readBigUInt64LE(this.skip(8))
      : BigInt(`0x${Buffer.from(this.bytes(length)).reverse().toString("hex")}`);
    return bits & 1 ? -magnitude : magnitude;
  }
}

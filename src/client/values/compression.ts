/**
 * Compressed values. Everything here is synchronous: a value is encoded before its call returns, so writes
 * are sent in the order of their calls. The inflated size is bounded, because a compressed value of a
 * megabyte can hold a gigabyte.
 */
import { Buffer } from "node:buffer";
import * as zlib from "node:zlib";
import { CorruptValueError } from "../../errors.ts";
import { byteLength } from "../../protocol/text.ts";
import type { Stored } from "./codec.ts";

/** A way to read compressed bytes. */
export interface Expander {
  /** Its name in error messages. */
  readonly name: string;
  /** Whether this runtime lacks it. */
  readonly missing?: boolean;
  /** Returns the plain bytes. Throws if the input is damaged, or the result would have more than `most` bytes. */
  expand(bytes: Uint8Array, most: number): Buffer;
}

/** A way to compress. */
export interface Method extends Expander {
  compress(plain: Uint8Array): Uint8Array;
}

/** Which values of a client are compressed, and how large they may be. */
export interface Limits {
  /** Only values of more bytes than this are compressed; undefined: no value is. */
  readonly compressAbove: number | undefined;
  /** The largest value, compressed or not, in bytes. */
  readonly maxValueBytes: number;
}

/** What zlib returns with the option `info`. Deno 2.0 does not know this option yet. */
interface WithInfo {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

/** Whether the input ends with the Adler-32 checksum of the plain bytes, as zlib's format does (RFC 1950, 2.2). */
function endsWithChecksum(bytes: Uint8Array, plain: Uint8Array): boolean {
  let [a, b] = [1, 0];
  for (const byte of plain) {
    a = (a + byte) % 65_521;
    b = (b + a) % 65_521;
  }
  const end = new DataView(bytes.buffer, bytes.byteOffset + bytes.byteLength - 4, 4);
  return end.getUint16(0) === b && end.getUint16(2) === a;
}

/** zlib's format (RFC 1950). */
export const ZLIB: Method = {
  name: "zlib",
  compress: (plain) => zlib.deflateSync(plain),
  expand(bytes, most): Buffer {
    const options = { maxOutputLength: most, info: true };
    const inflated = zlib.inflateSync(bytes, options) as Buffer | WithInfo;
    const plain = "engine" in inflated ? inflated.buffer : inflated;
    // Bytes may have been appended to the value. zlib stops at its own end and would drop them silently.
    const whole = "engine" in inflated
      ? inflated.engine.bytesWritten === bytes.byteLength
      : endsWithChecksum(bytes, plain);
    if (whole) return plain;
    throw new RangeError("something follows the compressed bytes");
  },
};

/** gzip's format (RFC 1952). */
export const GZIP: Method = {
  name: "gzip",
  compress: (plain) => zlib.gzipSync(plain),
  expand: (bytes, most) => zlib.gunzipSync(bytes, { maxOutputLength: most }),
};

// Node has these since 22.15; Node 20 does not.
const { zstdCompressSync, zstdDecompressSync } = zlib as {
  zstdCompressSync?: (bytes: Uint8Array) => Buffer;
  zstdDecompressSync?: (bytes: Uint8Array, options: { maxOutputLength: number }) => Buffer;
};

/** Zstandard's format (RFC 8878). */
export const ZSTD: Method = {
  name: "zstd",
  missing: zstdDecompressSync === undefined,
  compress: (plain) => zstdCompressSync!(plain),
  expand: (bytes, most) => zstdDecompressSync!(bytes, { maxOutputLength: most }),
};

/**
 * The compressed form of a stored value, or undefined if it should not be compressed or would not become
 * smaller. A value over `maxValueBytes` stays as it is, because its compressed form could never be read.
 */
export function compressed(
  { value }: Pick<Stored, "value">,
  { compressAbove, maxValueBytes }: Limits,
  method: Method,
): Uint8Array | undefined {
  if (compressAbove === undefined) return undefined;
  // A UTF-16 code unit is at most three bytes of UTF-8, so for a short text the bytes need not be counted.
  if (typeof value === "string" && value.length * 3 <= compressAbove) return undefined;
  const bytes = typeof value === "string" ? byteLength(value) : value.byteLength;
  if (bytes <= compressAbove || bytes > maxValueBytes) return undefined;
  const plain = typeof value === "string" ? Buffer.from(value, "utf8") : value;
  const smaller = method.compress(plain);
  return smaller.byteLength < bytes ? smaller : undefined;
}

/** The plain bytes of a compressed value. */
export function expanded(
  bytes: Uint8Array,
  flags: number,
  { maxValueBytes }: Limits,
  method: Expander,
): Buffer {
  if (method.missing) {
    throw new CorruptValueError(
      `flags ${flags}: the value is compressed by ${method.name}, which this runtime lacks`,
      { flags },
    );
  }
  try {
    const plain = method.expand(bytes, maxValueBytes);
    // Deno 2.0 ignores the limit and inflates everything, so check the length here too.
    if (plain.byteLength > maxValueBytes) throw new RangeError("the value is too large");
    return plain;
  } catch (cause) {
    throw new CorruptValueError(
      `flags ${flags}: the value cannot be inflated as ${method.name}, or has more than the ` +
        `${maxValueBytes} bytes of maxValueBytes when it is`,
      { flags, cause },
    );
  }
}

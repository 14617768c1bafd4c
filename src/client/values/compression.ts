/**
 * Compressed values. All of it is synchronous: a value is encoded before its call returns, so writes leave
 * in the order of their calls. What inflates is bounded, for a compressed value of a megabyte can hold a
 * gigabyte.
 */
import { Buffer } from "node:buffer";
import * as zlib from "node:zlib";
import { CorruptValueError } from "../../errors.ts";
import { byteLength } from "../../protocol/text.ts";
import type { Stored } from "./codec.ts";

/** A way to read what is compressed. */
export interface Expander {
  /** How messages name it. */
  readonly name: string;
  /** Whether this runtime lacks it. */
  readonly missing?: boolean;
  /** Throws if the bytes are damaged, or would have more than `most` bytes. */
  expand(bytes: Uint8Array, most: number): Buffer;
}

/** A way to compress. */
export interface Method extends Expander {
  compress(plain: Uint8Array): Uint8Array;
}

/** Which values of a client are compressed, and how large they may be. */
export interface Limits {
  /** Only values of more bytes are compressed; undefined: none is. */
  readonly compressAbove: number | undefined;
  /** The largest value, compressed or not, in bytes. */
  readonly maxValueBytes: number;
}

/** What zlib gives with the option `info`, of which Deno 2.0 knows nothing yet. */
interface WithInfo {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

/** Whether the last bytes are the Adler-32 of the plain ones, with which zlib's format ends (RFC 1950, 2.2). */
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
    const inflated = zlib.inflateSync(bytes, options) as unknown as Buffer | WithInfo;
    const plain = "engine" in inflated ? inflated.buffer : inflated;
    // The value was appended to: zlib stops at its own end, and what was added would be lost unseen.
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

// Node has had them since 22.15; Node 20 has not.
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
 * The compressed form of a stored value if it is to be compressed and that makes it smaller, else
 * undefined. A value over `maxValueBytes` stays as it is: it could never be read again.
 */
export function compressed(
  { value }: Pick<Stored, "value">,
  { compressAbove, maxValueBytes }: Limits,
  method: Method,
): Uint8Array | undefined {
  if (compressAbove === undefined) return undefined;
  // A character is at most three bytes of UTF-8; to count them takes time.
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
    // Deno 2.0 inflates to the end first.
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

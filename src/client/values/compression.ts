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

/** zlib's format (RFC 1950). */
export const ZLIB: Method = {
  name: "zlib",
  compress: (plain) => zlib.deflateSync(plain),
  expand(bytes, most): Buffer {
    const options = { maxOutputLength: most, info: true };
    const { buffer, engine } = zlib.inflateSync(bytes, options) as unknown as {
      buffer: Buffer;
      engine: { bytesWritten: number };
    };
    // It was appended to. zlib stops at the end of its own, and what was added would be lost unseen.
    if (engine.bytesWritten === bytes.byteLength) return buffer;
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
    return method.expand(bytes, maxValueBytes);
  } catch (cause) {
    throw new CorruptValueError(
      `flags ${flags}: the value cannot be inflated as ${method.name}, or has more than the ` +
        `${maxValueBytes} bytes of maxValueBytes when it is`,
      { flags, cause },
    );
  }
}

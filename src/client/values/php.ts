/**
 * PHP's extension memcached (php_memcached.c). The low 4 bits of the flags hold the type: 0 string, 1 integer,
 * 2 float, 3 boolean ("1" or empty), 4 serialize(), 5 igbinary, 6 JSON, 7 msgpack. The bit 16 marks a compressed
 * value, together with 32 for zlib, 64 for FastLZ or 128 for zstd; its first 4 bytes are the plain length. The
 * bits above the lowest 16 belong to PHP's users.
 *
 * A PHP string can be text or bytes: valid UTF-8 comes back as text, everything else as bytes.
 */
import { Buffer } from "node:buffer";
import { CorruptValueError } from "../../errors.ts";
import { type Stored, unknownFlags } from "./codec.ts";
import { type Expander, type Method, ZLIB, ZSTD } from "./compression.ts";
import { expandFastLz } from "./fastlz.ts";
import { readJson, writeJson } from "./json.ts";
import { bytesOf } from "./bytes.ts";
import { readBytes, readInteger, readNumber, readUtf8 } from "./reading.ts";
import { checkText, type Table, unstorable } from "./table.ts";

const NAME = "PHP";
const STRING = 0;
const INTEGER = 1;
const FLOAT = 2;
const BOOLEAN = 3;
const JSON_TEXT = 6;
const TYPES = 0xf;
const OWN = 0xffff;
const COMPRESSED = 16;
const BY_ZLIB = 32;
const BY_FASTLZ = 64;
const BY_ZSTD = 128;
const LENGTH_BYTES = 4;
const COMPRESSION = COMPRESSED | BY_ZLIB | BY_FASTLZ | BY_ZSTD;

/** The types that only PHP can read, and their names in error messages. */
const FOREIGN: ReadonlyMap<number, string> = new Map([
  [4, "a value of PHP's serialize()"],
  [5, "a value of igbinary"],
  [7, "a value of msgpack"],
]);

const zlib: Method = {
  ...withLength(ZLIB),
  compress(plain): Buffer {
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32LE(plain.byteLength);
    return Buffer.concat([length, ZLIB.compress(plain)]);
  },
};
const fastlz = withLength({ name: "FastLZ", expand: expandFastLz });
const zstd = withLength(ZSTD);

export const php: Table = {
  counterFlags: INTEGER,

  compression: {
    method: zlib,
    flags: COMPRESSED | BY_ZLIB,
    compresses: ({ flags }) => flags === STRING || flags === JSON_TEXT,
    methodOf(flags): Expander | undefined {
      if ((flags & COMPRESSED) === 0) return undefined;
      if ((flags & BY_FASTLZ) !== 0) return fastlz;
      if ((flags & BY_ZLIB) !== 0) return zlib;
      if ((flags & BY_ZSTD) !== 0) return zstd;
      throw unknownFlags(flags);
    },
  },

  encode(value: unknown, stored: Stored): void {
    const put = (data: Uint8Array | string, flags: number): void => {
      stored.value = data;
      stored.flags = flags;
    };
    const bytes = bytesOf(value);
    if (bytes !== undefined) return put(bytes, STRING);
    switch (typeof value) {
      case "string":
        return put(checkText(value, NAME), STRING);
      case "boolean":
        return put(value ? "1" : "", BOOLEAN);
      case "bigint":
        if (BigInt.asIntN(64, value) !== value) {
          throw unstorable(NAME, "an integer of more than 64 bits");
        }
        return put(String(value), INTEGER);
      case "number":
        if (Object.is(value, -0)) return put("-0", FLOAT);
        return put(String(value), Number.isSafeInteger(value) ? INTEGER : FLOAT);
      default:
        put(writeJson(value, NAME), JSON_TEXT);
    }
  },

  decode(bytes, from, to, flags): unknown {
    if ((flags & OWN & ~TYPES & ~COMPRESSION) !== 0) throw unknownFlags(flags);
    const text = (): string => bytes.toString("latin1", from, to);
    const type = flags & TYPES;
    switch (type) {
      case STRING:
        return readUtf8(bytes, from, to) ?? readBytes(bytes, from, to);
      case INTEGER:
        return readInteger(text(), flags);
      case FLOAT:
        return readNumber(text(), flags);
      case BOOLEAN:
        return text() === "1";
      case JSON_TEXT:
        return readJson(bytes, from, to, flags);
    }
    const foreign = FOREIGN.get(type);
    if (foreign === undefined) throw unknownFlags(flags);
    throw new CorruptValueError(
      `flags ${flags}: ${foreign}, which is never read; set Memcached::SERIALIZER_JSON in PHP`,
      { flags },
    );
  },
};

/** The same format with the plain length in front, little-endian as on the machines that PHP runs on. */
function withLength({ name, missing = false, expand }: Expander): Expander {
  return {
    name,
    missing,
    expand(bytes, most): Buffer {
      // Throws if there are fewer bytes.
      const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
        .getUint32(0, true);
      if (length > most) throw new RangeError("the value is too large");
      const plain = expand(bytes.subarray(LENGTH_BYTES), length);
      if (plain.length !== length) {
        throw new RangeError("the value does not have the length that it states");
      }
      return plain;
    },
  };
}

/**
 * spymemcached and xmemcached (Java). Flags: 0 text, 1 a Java object; the bit 2 is added to any of them for gzip;
 * the second byte is 1 for a boolean, 2 int, 3 long, 4 date, 5 byte, 6 float, 7 double, 8 bytes. Numbers are
 * big-endian, without leading zero bytes (spymemcached's SerializingTranscoder.java and TranscoderUtils.java).
 */
import { Buffer } from "node:buffer";
import { CorruptValueError } from "../../errors.ts";
import { type Stored, unknownFlags } from "./codec.ts";
import { GZIP } from "./compression.ts";
import { bytesOf } from "./bytes.ts";
import { readBytes, readText } from "./reading.ts";
import { checkText, type Table, unstorable } from "./table.ts";

const NAME = "spymemcached";
const TEXT = 0;
const OBJECT = 1;
const COMPRESSED = 2;
const BOOLEAN = 1 << 8;
const INT = 2 << 8;
const LONG = 3 << 8;
const DATE = 4 << 8;
const BYTE = 5 << 8;
const FLOAT = 6 << 8;
const DOUBLE = 7 << 8;
const BYTES = 8 << 8;

export const spymemcached: Table = {
  // Java's incr creates a counter from its digits, which it treats as text.
  counterFlags: TEXT,

  compression: {
    method: GZIP,
    flags: COMPRESSED,
    compresses: ({ value, flags }) => flags !== TEXT || !isJsonLike(value as string),
    methodOf: (flags) => (flags & COMPRESSED) === 0 ? undefined : GZIP,
  },

  encode(value: unknown, stored: Stored): void {
    const put = (data: Uint8Array | string, flags: number): void => {
      stored.value = data;
      stored.flags = flags;
    };
    const bytes = bytesOf(value);
    if (bytes !== undefined) return put(bytes, BYTES);
    switch (typeof value) {
      case "string":
        return put(checkText(value, NAME), TEXT);
      case "boolean":
        return put(value ? "1" : "0", BOOLEAN);
      case "bigint":
        if (BigInt.asIntN(64, value) !== value) {
          throw unstorable(NAME, "an integer of more than 64 bits");
        }
        return put(packed(value), LONG);
      case "number":
        if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
          return put(packed(doubleBits(value)), DOUBLE);
        }
        return value === (value | 0)
          ? put(packed(BigInt.asUintN(32, BigInt(value))), INT)
          : put(packed(BigInt(value)), LONG);
    }
    const time = value instanceof Date ? value.getTime() : NaN;
    if (Number.isNaN(time)) {
      throw unstorable(NAME, "an object, because that needs a Java object");
    }
    put(packed(BigInt(time)), DATE);
  },

  decode(bytes, from, to, flags): unknown {
    const number = (most: number): bigint => unpacked(bytes, from, to, most, flags);
    switch (flags & ~COMPRESSED) {
      case TEXT:
        return readText(bytes, from, to, flags);
      case OBJECT:
        throw new CorruptValueError(`flags ${flags}: a Java object, which is never read`, {
          flags,
        });
      case BOOLEAN:
        return number(1) === 0x31n;
      case INT:
        return Number(BigInt.asIntN(32, number(4)));
      case LONG: {
        const long = BigInt.asIntN(64, number(8));
        return Number.isSafeInteger(Number(long)) ? Number(long) : long;
      }
      case DATE:
        return new Date(Number(BigInt.asIntN(64, number(8))));
      case BYTE:
        return Number(BigInt.asIntN(8, number(1)));
      case FLOAT: {
        const float = Buffer.alloc(4);
        float.writeUInt32BE(Number(number(4)));
        return float.readFloatBE();
      }
      case DOUBLE: {
        const double = Buffer.alloc(8);
        double.writeBigUInt64BE(number(8));
        return double.readDoubleBE();
      }
      case BYTES:
        return readBytes(bytes, from, to);
      default:
        throw unknownFlags(flags);
    }
  },
};

function doubleBits(value: number): bigint {
  const bits = Buffer.alloc(8);
  bits.writeDoubleBE(value);
  return bits.readBigUInt64BE();
}

/** The eight bytes of a number, without the leading zero bytes: empty for 0. */
function packed(value: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt.asUintN(64, value));
  const first = bytes.findIndex((byte) => byte !== 0);
  return bytes.subarray(first < 0 ? 8 : first);
}

function unpacked(bytes: Buffer, from: number, to: number, most: number, flags: number): bigint {
  if (to - from > most) {
    throw new CorruptValueError(`flags ${flags}: the value has more than ${most} bytes`, { flags });
  }
  let value = 0n;
  for (let i = from; i < to; i++) value = (value << 8n) | BigInt(bytes[i]!);
  return value;
}

/** Whether Java's client takes the text for JSON, which it never compresses (its StringUtils.isJsonObject). */
function isJsonLike(text: string): boolean {
  return /^[{[]|^(true|false|null)$|^-?\d+$/.test(text);
}

/**
 * python-memcached and pymemcache. Flags: 0 bytes, 1 pickle, 2 int, 4 long, 16 text; the bit 8 is added for zlib
 * (python-memcached 1.62, memcache.py).
 */
import { type Stored, unknownFlags } from "./codec.ts";
import { ZLIB } from "./compression.ts";
import { bytesOf } from "./bytes.ts";
import { Flags, pickle } from "./memwire.ts";
import { readBigInt, readBytes, readInteger, readText } from "./reading.ts";
import { checkText, type Table, unstorable } from "./table.ts";

const NAME = "python-memcached";

export const pythonMemcached: Table = {
  counterFlags: Flags.integer,

  compression: {
    method: ZLIB,
    flags: Flags.compressed,
    compresses: ({ flags }) => flags === Flags.text || flags === Flags.bytes,
    methodOf: (flags) => (flags & Flags.compressed) === 0 ? undefined : ZLIB,
  },

  encode(value: unknown, stored: Stored): void {
    const bytes = bytesOf(value);
    if (bytes !== undefined) {
      stored.value = bytes;
      stored.flags = Flags.bytes;
    } else if (typeof value === "string") {
      stored.value = checkText(value, NAME);
      stored.flags = Flags.text;
    } else if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      stored.value = String(value);
      stored.flags = Flags.integer;
    } else if (typeof value === "bigint") {
      stored.value = String(value);
      stored.flags = Flags.long;
    } else {
      throw unstorable(NAME, "anything but text, bytes and integers, because that needs a pickle");
    }
  },

  decode(bytes, from, to, flags): unknown {
    switch (flags & ~Flags.compressed) {
      case Flags.bytes:
        return readBytes(bytes, from, to);
      case Flags.text:
        return readText(bytes, from, to, flags);
      case Flags.integer:
        return readInteger(bytes.toString("latin1", from, to), flags);
      case Flags.long:
        return readBigInt(bytes.toString("latin1", from, to), flags);
      case Flags.pickle:
        throw pickle(flags);
      default:
        throw unknownFlags(flags);
    }
  },
};

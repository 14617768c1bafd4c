/**
 * npm's memcache-client. Flags: 0 text, 2 JSON, 4 a number, 8 bytes; the bit 1 is added to any of them for zstd
 * (memcache-client 1.0, value-packer.js).
 */
import { type Stored, unknownFlags } from "./codec.ts";
import { ZSTD } from "./compression.ts";
import { readJson, writeJson } from "./json.ts";
import { bytesOf } from "./bytes.ts";
import { readBytes, readNumber, readText } from "./reading.ts";
import { checkText, type Table, unstorable } from "./table.ts";

const NAME = "memcache-client";
const TEXT = 0;
const COMPRESSED = 1;
const JSON_TEXT = 2;
const NUMBER = 4;
const BYTES = 8;

export const memcacheClient: Table = {
  counterFlags: NUMBER,

  compression: {
    method: ZSTD,
    flags: COMPRESSED,
    compresses: () => true,
    methodOf: (flags) => (flags & COMPRESSED) === 0 ? undefined : ZSTD,
  },

  encode(value: unknown, stored: Stored): void {
    const bytes = bytesOf(value);
    if (bytes !== undefined) {
      stored.value = bytes;
      stored.flags = BYTES;
    } else if (typeof value === "string") {
      stored.value = checkText(value, NAME);
      stored.flags = TEXT;
    } else if (typeof value === "number") {
      // memcache-client writes numbers as JSON, which has no NaN or infinity.
      if (!Number.isFinite(value)) throw unstorable(NAME, "NaN and Infinity");
      stored.value = Object.is(value, -0) ? "-0" : String(value);
      stored.flags = NUMBER;
    } else if (typeof value === "object") {
      stored.value = writeJson(value, NAME);
      stored.flags = JSON_TEXT;
    } else {
      throw unstorable(NAME, `a ${typeof value}`);
    }
  },

  decode(bytes, from, to, flags): unknown {
    switch (flags & ~COMPRESSED) {
      case TEXT:
        return readText(bytes, from, to, flags);
      case JSON_TEXT:
        return readJson(bytes, from, to, flags);
      case NUMBER:
        return bytes.toString("latin1", from, to) === "null"
          ? NaN
          : readNumber(bytes.toString("latin1", from, to), flags);
      case BYTES:
        return readBytes(bytes, from, to);
      default:
        throw unknownFlags(flags);
    }
  },
};

/**
 * dalli (Ruby). Flags: 0 bytes, 1 Marshal or JSON, 4 UTF-8 text; the bit 2 is added to any of them for zlib
 * (dalli's value_serializer.rb and value_compressor.rb). Text is stored as dalli does with
 * `string_fastpath: true`, which every version reads. Objects are stored as JSON, which dalli reads with
 * `serializer: JSON`.
 */
import { CorruptValueError } from "../../errors.ts";
import { type Stored, unknownFlags } from "./codec.ts";
import { ZLIB } from "./compression.ts";
import { readJson, writeJson } from "./json.ts";
import { bytesOf } from "./bytes.ts";
import { readBytes, readText } from "./reading.ts";
import { checkText, type Table } from "./table.ts";

const NAME = "dalli";
const BYTES = 0;
const SERIALIZED = 1;
const COMPRESSED = 2;
const TEXT = 4;

// Each Marshal dump begins with this version number. JSON never begins with a control character.
const MARSHAL_MAJOR = 4;

export const dalli: Table = {
  counterFlags: BYTES,

  compression: {
    method: ZLIB,
    flags: COMPRESSED,
    compresses: () => true,
    methodOf: (flags) => (flags & COMPRESSED) === 0 ? undefined : ZLIB,
  },

  encode(value: unknown, stored: Stored): void {
    const bytes = bytesOf(value);
    if (bytes !== undefined) {
      stored.value = bytes;
      stored.flags = BYTES;
    } else if (typeof value === "string") {
      stored.value = checkText(value, NAME);
      stored.flags = TEXT;
    } else {
      stored.value = writeJson(value, NAME);
      stored.flags = SERIALIZED;
    }
  },

  decode(bytes, from, to, flags): unknown {
    switch (flags & ~COMPRESSED) {
      case BYTES:
        return readBytes(bytes, from, to);
      case TEXT:
        return readText(bytes, from, to, flags);
      case SERIALIZED:
        if (bytes[from] !== MARSHAL_MAJOR || from === to) return readJson(bytes, from, to, flags);
        throw new CorruptValueError(
          `flags ${flags}: a Ruby object (Marshal), which is never read; set serializer: JSON in dalli`,
          { flags },
        );
      default:
        throw unknownFlags(flags);
    }
  },
};

/**
 * How a value is stored, and told by its flags when it comes back. python-memcached and pymemcache
 * use the same flags for bytes, text, integers and compression.
 */
import type { Buffer } from "node:buffer";
import { inflateSync } from "node:zlib";
import { CorruptValueError, invalidType, isMemcachedError } from "../errors.ts";
import { digitsEnd, isCount } from "../protocol/digits.ts";
import type { Reply } from "../protocol/reply.ts";
import { isStubFlags } from "../protocol/stub.ts";
import { decodeUtf8, isUtf8, isWellFormed } from "../protocol/text.ts";
import { UNCOPIED_BYTES } from "../protocol/write_buffer.ts";
import { decode as decodeV8, encode as encodeV8 } from "../v8/codec.ts";
import type { Serializer } from "./options.ts";

/** The flags of stored values. */
export const Flags = {
  bytes: 0,
  /** python-memcached's pickle: never read. */
  pickle: 1,
  /** Decimal digits, its integer. */
  integer: 2,
  /** Decimal digits, its long. */
  long: 4,
  /** A bit with the others: zlib-compressed. */
  compressed: 8,
  text: 16,
  /** V8's value format, our own codec. */
  v8: 256,
} as const;

/** Flags have 32 bits, but in a memcached that was built for 64. Bit operations see the lower 32 alone. */
export const MAX_FLAGS: number = 0xffff_ffff;

// A compressed value of a megabyte can hold a gigabyte.
const MAX_INFLATED_BYTES = 16 * 1024 * 1024;

/** Where the stored form of a value goes: a request. */
export interface Stored {
  /** As it goes over the wire. */
  readonly key: string;
  value: Uint8Array | string;
  flags: number;
}

/** Turns values into stored bytes and back. */
export interface ValueCodec<T = unknown> {
  /** Puts the value's stored form into `stored`. The bytes may be overwritten by the next call, if under 64 KiB. */
  encode(value: unknown, stored: Stored): void;
  /** The value that the reply brings for the key. */
  decode(reply: Reply, key: string): T;
  /** Whether what is stored with these flags is a value, not something of memwire's own. */
  holds(flags: number): boolean;
}

/** The table of values and flags. */
export const tableCodec: ValueCodec = {
  encode(value: unknown, stored: Stored): void {
    switch (typeof value) {
      case "string":
        // What would come back as another text goes in V8's format.
        if (!isWellFormed(value) || isPaddedCount(value)) break;
        stored.value = value;
        stored.flags = Flags.text;
        return;
      case "number":
        // -0 is a safe integer, but its digits are those of 0.
        if (!Number.isSafeInteger(value) || Object.is(value, -0)) break;
        stored.value = String(value);
        stored.flags = Flags.integer;
        return;
      case "bigint":
        stored.value = value.toString();
        stored.flags = Flags.long;
        return;
      case "undefined":
        throw undefinedValue();
      case "object":
        if (value instanceof Uint8Array) {
          stored.value = value;
          stored.flags = Flags.bytes;
          return;
        }
        if (value instanceof ArrayBuffer) {
          stored.value = new Uint8Array(value);
          stored.flags = Flags.bytes;
          return;
        }
    }
    stored.value = encodedView(value);
    stored.flags = Flags.v8;
  },

  decode(reply: Reply): unknown {
    const { bytes, from, to, flags } = reply;
    switch (flags) {
      case Flags.text:
        return readText(bytes, from, isCount(bytes, from, to) ? digitsEnd(bytes, from) : to, flags);
      case Flags.bytes:
        return reply.ownBytes();
      case Flags.v8:
        return decodeV8(bytes, from, to);
      case Flags.integer:
      case Flags.long:
        return parseInteger(bytes.toString("latin1", from, to), flags);
      default:
        return decodeOthers(bytes, from, to, flags);
    }
  },

  holds: () => true,
};

/** A codec that asks the caller's own serializer. */
export function serializerCodec(serializer: Serializer): ValueCodec {
  return {
    encode(value: unknown, stored: Stored): void {
      const { data, flags } = serialized(serializer, value);
      stored.value = data;
      stored.flags = flags;
    },

    decode(reply: Reply): unknown {
      const { flags } = reply;
      if (!Number.isSafeInteger(flags)) throw inexactFlags(flags);
      return deserialized(serializer, reply.ownBytes(), flags);
    },

    holds: () => true,
  };
}

/** What the caller's serializer makes of a value, checked. */
export function serialized(
  serializer: Serializer,
  value: unknown,
): { data: Uint8Array; flags: number } {
  if (value === undefined) throw undefinedValue();
  const { data, flags } = serializer.serialize(value);
  if (!(data instanceof Uint8Array)) {
    throw invalidType("serializer.serialize must return data as a Uint8Array");
  }
  if (!Number.isInteger(flags) || flags < 0 || flags > MAX_FLAGS) {
    throw invalidType("serializer.serialize must return flags from 0 to 2^32 - 1");
  }
  if (isStubFlags(flags)) {
    throw invalidType(
      "serializer.serialize must not return the flags 65536 and 131072: they mark what is no value",
    );
  }
  return { data, flags };
}

/** The value that the caller's serializer makes of bytes, which are its own to keep. */
export function deserialized(serializer: Serializer, data: Uint8Array, flags: number): unknown {
  try {
    return serializer.deserialize(data, flags);
  } catch (cause) {
    if (isMemcachedError(cause)) throw cause;
    // Without the cause: what such an error says may be a piece of the value, as with JSON.parse.
    const name = cause instanceof Error ? cause.name : typeof cause;
    throw new CorruptValueError(`the serializer could not read the stored value (${name})`, {
      flags,
    });
  }
}

/** The refusal of the one value that nobody can store. */
export function undefinedValue(): TypeError {
  return invalidType("undefined cannot be stored: it could not be told from an absent value");
}

/** The V8 form of a value: a view on the codec's buffer if it is small, its own bytes if not. */
export function encodedView(value: unknown): Uint8Array {
  const view = encodeV8(value);
  // From this size on the socket keeps the bytes themselves.
  return view.byteLength >= UNCOPIED_BYTES ? new Uint8Array(view) : view;
}

function decodeOthers(bytes: Buffer, from: number, to: number, flags: number): unknown {
  if (!Number.isSafeInteger(flags)) throw inexactFlags(flags);
  if (flags > MAX_FLAGS) throw new CorruptValueError(`flags ${flags} are not known`, { flags });
  const inner = flags & ~Flags.compressed;
  if ((flags & Flags.compressed) !== 0 && (inner === Flags.bytes || inner === Flags.text)) {
    const plain = inflate(bytes, from, to, flags);
    // A copy of its own: what zlib gives may be a piece of a larger buffer.
    return inner === Flags.text ? readText(plain, 0, plain.length, flags) : new Uint8Array(plain);
  }
  if (flags === Flags.pickle || inner === Flags.pickle) {
    throw new CorruptValueError(`flags ${flags}: a Python pickle, which is never read`, { flags });
  }
  throw new CorruptValueError(`flags ${flags} are not known`, { flags });
}

function inflate(bytes: Buffer, from: number, to: number, flags: number): Buffer {
  try {
    return inflateSync(bytes.subarray(from, to), { maxOutputLength: MAX_INFLATED_BYTES });
  } catch (cause) {
    throw new CorruptValueError(
      `flags ${flags}: the value cannot be inflated, or not to ${MAX_INFLATED_BYTES} bytes`,
      { flags, cause },
    );
  }
}

/** Text, which must be UTF-8: PHP's clients have compressed values under the same flags. */
function readText(bytes: Buffer, from: number, to: number, flags: number): string {
  const text = decodeUtf8(bytes, from, to);
  // What is no UTF-8 has become U+FFFD, but that may be what was stored. To ask costs next to nothing:
  // most strings have one byte a character, and none of those is U+FFFD.
  if (text.includes("\ufffd") && !isUtf8(bytes.subarray(from, to))) {
    throw new CorruptValueError(`flags ${flags}: the value is not UTF-8`, { flags });
  }
  return text;
}

/**
 * Whether the text could be what is left of digits after decr, which old servers pad with spaces. Such
 * text is never stored as it is, so what is read as text and looks so is a count, and read as one.
 */
function isPaddedCount(text: string): boolean {
  return text.endsWith(" ") && /^[0-9]{1,19} +$/.test(text) && text.length <= 20;
}

function inexactFlags(flags: number): CorruptValueError {
  return new CorruptValueError("flags of 2^53 or more, which no number holds exactly", { flags });
}

/** Digits, and the spaces that decr leaves behind a number that has become shorter. */
function parseInteger(text: string, flags: number): number | bigint {
  const digits = text.trimEnd();
  if (!/^-?[0-9]+$/.test(digits)) {
    throw new CorruptValueError(`flags ${flags}: the value is not an integer`, { flags });
  }
  if (flags === Flags.integer) {
    const number = Number(digits);
    if (Number.isSafeInteger(number)) return number;
  }
  return BigInt(digits);
}

/**
 * memwire's own table: how each type of value is stored, and which flags say how to read it. python-memcached and
 * pymemcache use the same flags for bytes, text, integers and compression.
 */
import type { Buffer } from "node:buffer";
import { CorruptValueError } from "../../errors.ts";
import { SPACE } from "../../protocol/ascii.ts";
import { digitsEnd, isCount } from "../../protocol/digits.ts";
import type { Reply } from "../../protocol/reply.ts";
import { isWellFormed } from "../../protocol/text.ts";
import { UNCOPIED_BYTES } from "../../protocol/write_buffer.ts";
import { decode as decodeV8, encode as encodeV8 } from "../../v8/codec.ts";
import { bytesOf } from "./bytes.ts";
import {
  type ClientCodec,
  inexactFlags,
  MAX_FLAGS,
  type Stored,
  undefinedValue,
  unknownFlags,
} from "./codec.ts";
import { compressed, expanded, type Limits, ZLIB } from "./compression.ts";
import { readBigInt, readInteger, readText } from "./reading.ts";

/** The flags of stored values. */
export const Flags = {
  bytes: 0,
  /** A pickle of python-memcached, which is never read. */
  pickle: 1,
  /** Decimal digits: an integer of python-memcached. */
  integer: 2,
  /** Decimal digits: a long of python-memcached. */
  long: 4,
  /** A bit that is added to bytes, text or V8: the value is compressed by zlib. */
  compressed: 8,
  text: 16,
  /** V8's value format, written by our own codec. */
  v8: 256,
} as const;

/** The codec of clients that choose no other table. */
export class MemwireCodec implements ClientCodec {
  readonly counterFlags: number = Flags.integer;
  readonly #limits: Limits;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  encode(value: unknown, stored: Stored): void {
    if (encodeNumber(value, stored)) return;
    encodePlain(value, stored);
    const smaller = compressed(stored, this.#limits, ZLIB);
    if (smaller === undefined) return;
    stored.value = smaller;
    stored.flags |= Flags.compressed;
  }

  encodeNotEmpty(value: unknown, stored: Stored): void {
    stored.value = encodedView(value);
    stored.flags = Flags.v8;
  }

  decode(reply: Reply): unknown {
    const { bytes, from, to, flags } = reply;
    switch (flags) {
      case Flags.text: {
        const end = isCount(bytes, from, to) ? digitsEnd(bytes, from) : to;
        return readText(bytes, from, end, flags, reply.ascii);
      }
      case Flags.bytes:
        return reply.ownBytes();
      case Flags.v8:
        return decodeV8(bytes, from, to);
      case Flags.integer:
        return readInteger(bytes.toString("latin1", from, to), flags);
      case Flags.long:
        return readBigInt(bytes.toString("latin1", from, to), flags);
      default:
        return this.#decodeOthers(bytes, from, to, flags);
    }
  }

  holds(): boolean {
    return true;
  }

  #decodeOthers(bytes: Buffer, from: number, to: number, flags: number): unknown {
    if (!Number.isSafeInteger(flags)) throw inexactFlags(flags);
    if (flags > MAX_FLAGS) throw unknownFlags(flags);
    const inner = flags & ~Flags.compressed;
    if (inner === Flags.pickle) throw pickle(flags);
    const known = inner === Flags.bytes || inner === Flags.text || inner === Flags.v8;
    if (!known || inner === flags) throw unknownFlags(flags);
    const plain = expanded(bytes.subarray(from, to), flags, this.#limits, ZLIB);
    if (inner === Flags.text) return readText(plain, 0, plain.length, flags);
    if (inner === Flags.v8) return decodeV8(plain, 0, plain.length);
    // Copy: the result of zlib may be a piece of a larger buffer.
    return new Uint8Array(plain);
  }
}

/** Numbers that are stored as digits, so that the server can count with them; they are too short to compress. */
function encodeNumber(value: unknown, stored: Stored): boolean {
  if (typeof value === "number") {
    // -0 is a safe integer, but its digits are those of 0.
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) return false;
    stored.value = String(value);
    stored.flags = Flags.integer;
    return true;
  }
  if (typeof value !== "bigint") return false;
  stored.value = value.toString();
  stored.flags = Flags.long;
  return true;
}

function encodePlain(value: unknown, stored: Stored): void {
  // Text that would come back changed is stored in V8's format.
  if (typeof value === "string" && isWellFormed(value) && !isPaddedCount(value)) {
    stored.value = value;
    stored.flags = Flags.text;
    return;
  }
  const bytes = bytesOf(value);
  if (bytes !== undefined) {
    stored.value = bytes;
    stored.flags = Flags.bytes;
    return;
  }
  if (value === undefined) throw undefinedValue();
  stored.value = encodedView(value);
  stored.flags = Flags.v8;
}

/** The V8 form of a value: a view of the codec's buffer if it is small, otherwise a copy. */
export function encodedView(value: unknown): Uint8Array {
  const view = encodeV8(value);
  // From this size on, the socket keeps the bytes without copying them.
  return view.byteLength >= UNCOPIED_BYTES ? new Uint8Array(view) : view;
}

/** The error for a pickle. */
export function pickle(flags: number): CorruptValueError {
  return new CorruptValueError(`flags ${flags}: a Python pickle, which is never read`, { flags });
}

/**
 * Whether the text could be a counter after decr, which old servers pad with spaces. Such text is never stored
 * as plain text, so a stored text that looks like this is a counter, and is read without the spaces.
 */
function isPaddedCount(text: string): boolean {
  if (text.charCodeAt(text.length - 1) !== SPACE) return false;
  return /^[0-9]{1,19} +$/.test(text) && text.length <= 20;
}

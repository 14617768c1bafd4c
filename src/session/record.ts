/**
 * What a SessionStore keeps under a key: a value, or a Session as the array [fields, createdAt, ttl],
 * in the V8 format or the caller's own, sealed or not; or the marker of a session that has moved. The
 * flags tell which.
 */
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import type { Serializer } from "../client/options.ts";
import type { Stored, ValueCodec } from "../client/values.ts";
import {
  deserialized,
  encodedView,
  Flags,
  MAX_FLAGS,
  serialized,
  undefinedValue,
} from "../client/values.ts";
import {
  CorruptValueError,
  invalidType,
  isMemcachedError,
  SerializationError,
  ValueTooLargeError,
} from "../errors.ts";
import { MAX_EXPTIME } from "../protocol/exptime.ts";
import type { Reply } from "../protocol/reply.ts";
import { decode } from "../v8/codec.ts";
import type { Opened, Seal } from "./seal.ts";

/** A bit of the flags: the value is a Session's record. */
export const SESSION_FLAG = 512;
/** A bit of the flags: the value is sealed. */
const SEALED_FLAG = 1024;
/** A bit of the flags: no value, but a marker. */
const MARKER_FLAG = 2048;
const OWN_FLAGS = SESSION_FLAG | SEALED_FLAG | MARKER_FLAG;

/** The flags of a marker. */
export const MARKER_FLAGS: number = Flags.v8 | MARKER_FLAG;
/** How long a marker stands, in seconds. */
export const MARKER_SECONDS = 60;
const MARKER_BYTES = 16;

/** Encoded bytes with their flags, before sealing. */
export class Encoded {
  readonly plain: Uint8Array;
  readonly flags: number;

  constructor(plain: Uint8Array, flags: number) {
    this.plain = plain;
    this.flags = flags;
  }

  equals(other: Encoded | undefined): boolean {
    return other !== undefined && other.flags === this.flags &&
      Buffer.compare(other.plain, this.plain) === 0;
  }
}

/** A new marker, which no other equals. */
export function newMarker(): Encoded {
  return new Encoded(randomBytes(MARKER_BYTES), MARKER_FLAGS);
}

/** A Session's content. */
export interface Content {
  readonly fields: Record<string, unknown>;
  /** In ms since 1970. */
  readonly createdAt: number;
  /** Its own, in seconds; undefined: the store's. */
  readonly ttl: number | undefined;
}

/** What was read. */
export interface Stocked {
  /** The value; of a Session its fields; of a marker undefined. */
  readonly value: unknown;
  /** What only a Session's record has. */
  readonly session: Content | undefined;
  readonly encoded: Encoded;
  /** The session that was here has moved to another id. */
  readonly marker: boolean;
  /** Sealed by an older secret. */
  readonly outdated: boolean;
}

/** The value is sealed by a secret that the store does not have: for `open` it is absent. */
export class UnknownSecretError extends CorruptValueError {
  constructor(flags: number) {
    super("the value is sealed by a secret that the store does not have", { flags });
  }
}

/** How records are encoded. */
export interface RecordOptions {
  readonly serializer: Serializer | undefined;
  readonly seal: Seal | undefined;
  readonly maxBytes: number;
  /** The client's own. */
  readonly prefix: string;
}

/** Encodes and decodes what a store keeps. */
export class RecordCodec implements ValueCodec<Stocked> {
  readonly #options: RecordOptions;

  constructor(options: RecordOptions) {
    this.#options = options;
  }

  /** A value's bytes, the caller's to keep. */
  encodeValue(value: unknown, session: 0 | typeof SESSION_FLAG = 0): Encoded {
    if (value === undefined) throw undefinedValue();
    const { serializer } = this.#options;
    if (serializer === undefined) {
      return new Encoded(copyOf(encodedView(value)), Flags.v8 | session);
    }
    const { data, flags } = serialized(serializer, value);
    if ((flags & OWN_FLAGS) !== 0) {
      throw invalidType(
        "serializer.serialize must return flags without the bits 512, 1024 and 2048",
      );
    }
    return new Encoded(new Uint8Array(data), (flags | session) >>> 0);
  }

  /** A Session's bytes. */
  encodeSession({ fields, createdAt, ttl }: Content): Encoded {
    // JSON would write Infinity as null, which is the store's own; 0 says the same.
    const seconds = ttl === Infinity ? 0 : ttl ?? null;
    try {
      return this.encodeValue([fields, createdAt, seconds], SESSION_FLAG);
    } catch (error) {
      if (!isMemcachedError(error) || error.code !== "SERIALIZATION") throw error;
      throw inFields(error as SerializationError);
    }
  }

  /** Takes a value, or what was encoded before. */
  encode(value: unknown, stored: Stored): void {
    const { plain, flags } = value instanceof Encoded ? value : this.encodeValue(value);
    const { maxBytes, prefix } = this.#options;
    // A marker holds nothing that is worth a seal.
    const seal = flags === MARKER_FLAGS ? undefined : this.#options.seal;
    stored.flags = seal === undefined ? flags : (flags | SEALED_FLAG) >>> 0;
    stored.value = seal === undefined ? plain : seal.close(plain, {
      mcKey: stored.key.slice(prefix.length),
      wireKey: stored.key,
      flags: stored.flags,
    });
    if (stored.value.byteLength > maxBytes) {
      throw new ValueTooLargeError(
        `the value has ${stored.value.byteLength} bytes, more than the ${maxBytes} of maxBytes; ` +
          "nothing was sent",
      );
    }
  }

  decode(reply: Reply, key: string): Stocked {
    const { bytes, from, to, flags } = reply;
    if (flags > MAX_FLAGS) {
      throw corrupt("flags of more than 32 bits are not a session store's", flags);
    }
    if (flags === MARKER_FLAGS) {
      const encoded = new Encoded(copyOf(bytes, from, to), flags);
      return { value: undefined, session: undefined, encoded, marker: true, outdated: false };
    }
    const { plain, outdated } = this.#open(reply, key);
    return this.read(new Encoded(plain, (flags & ~SEALED_FLAG) >>> 0), outdated);
  }

  holds(flags: number): boolean {
    return flags !== MARKER_FLAGS;
  }

  /** What encoded bytes mean. */
  read(encoded: Encoded, outdated: boolean = false): Stocked {
    const { flags } = encoded;
    const decoded = this.#decodePlain(encoded.plain, (flags & ~SESSION_FLAG) >>> 0, flags);
    const session = (flags & SESSION_FLAG) === 0 ? undefined : readSession(decoded, flags);
    const value = session === undefined ? decoded : session.fields;
    return { value, session, encoded, marker: false, outdated };
  }

  #open(reply: Reply, key: string): Opened {
    const { bytes, from, to, flags } = reply;
    const { seal, prefix } = this.#options;
    const sealed = (flags & SEALED_FLAG) !== 0;
    // Copied, because the receive buffer is overwritten and this is kept, to find changes.
    if (seal === undefined && !sealed) return { plain: copyOf(bytes, from, to), outdated: false };
    if (seal === undefined) {
      throw corrupt("the value is sealed, and the store has no secret", flags);
    }
    // What is not sealed may have been written by anybody who reaches the server.
    if (!sealed) throw corrupt("the value is not sealed, and the store has a secret", flags);
    const opened = seal.open(bytes.subarray(from, to), {
      mcKey: key.slice(prefix.length),
      wireKey: key,
      flags,
    });
    if (opened === "unknown") throw new UnknownSecretError(flags);
    if (opened === "broken") throw corrupt("the value's seal is broken", flags);
    return opened;
  }

  #decodePlain(plain: Uint8Array, inner: number, flags: number): unknown {
    const { serializer } = this.#options;
    if (serializer === undefined) {
      if (inner !== Flags.v8) throw corrupt(`flags ${flags} are not a session store's`, flags);
      return decode(plain, 0, plain.byteLength);
    }
    return deserialized(serializer, new Uint8Array(plain), inner);
  }
}

// By far the fastest way to copy a few hundred bytes: 70 ns, `new Uint8Array(view)` takes 290.
function copyOf(bytes: Uint8Array, from: number = 0, to: number = bytes.byteLength): Buffer {
  const copy = Buffer.allocUnsafe(to - from);
  copy.set(from === 0 && to === bytes.byteLength ? bytes : bytes.subarray(from, to));
  return copy;
}

function readSession(record: unknown, flags: number): Content {
  if (Array.isArray(record) && record.length === 3) {
    const [fields, createdAt, ttl]: readonly unknown[] = record;
    // No ttl was ever legal that is more than the last exptime.
    const legal = isPlainObject(fields) && typeof createdAt === "number" &&
      Number.isFinite(createdAt) &&
      (ttl === null || (typeof ttl === "number" && ttl >= 0 && ttl <= MAX_EXPTIME));
    if (legal) return { fields, createdAt, ttl: ttl ?? undefined };
  }
  throw corrupt("not a session's record", flags);
}

/** The content of what was read, for a session: a plain object that `set` stored is one created now. */
export function contentOf({ value, session, encoded }: Stocked): Content {
  if (session !== undefined) return session;
  if (isPlainObject(value)) return { fields: value, createdAt: Date.now(), ttl: undefined };
  throw corrupt("what is stored is not a session", encoded.flags);
}

/** Whether a value can be a Session's fields. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** The error with the path that the caller knows: from the fields, not from the record around them. */
function inFields({ message, path, cause }: SerializationError): SerializationError {
  const own = path.replace(/^\[0\]\.?/, "");
  return new SerializationError(message.replace(path, () => own), { path: own, cause });
}

function corrupt(message: string, flags: number): CorruptValueError {
  return new CorruptValueError(message, { flags });
}

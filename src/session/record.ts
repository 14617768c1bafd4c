/**
 * What a SessionStore keeps under a key: a value, a Session as the array [fields, createdAt, ttl], or the
 * marker of a session that has moved. Values and Sessions are in the V8 format or that of the caller's
 * serializer, sealed or not. The flags tell which of these it is.
 */
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import type { Serializer } from "../client/options.ts";
import { MAX_FLAGS, type Stored, undefinedValue, type ValueCodec } from "../client/values/codec.ts";
import { encodedView, Flags } from "../client/values/memwire.ts";
import { deserialized, serialized } from "../client/values/serializer.ts";
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

/** This bit of the flags says that the value is a Session's record. */
export const SESSION_FLAG = 512;
/** This bit says that the value is sealed. */
const SEALED_FLAG = 1024;
/** This bit says that the item is a marker, not a value. */
const MARKER_FLAG = 2048;
const OWN_FLAGS = SESSION_FLAG | SEALED_FLAG | MARKER_FLAG;

/** The flags of a marker. */
export const MARKER_FLAGS: number = Flags.v8 | MARKER_FLAG;
/** How long a marker stays, in seconds. */
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
    if (other === this) return true;
    return other !== undefined && other.flags === this.flags &&
      other.plain.byteLength === this.plain.byteLength &&
      Buffer.compare(other.plain, this.plain) === 0;
  }
}

/** Makes a new marker, different from every other. */
export function newMarker(): Encoded {
  return new Encoded(randomBytes(MARKER_BYTES), MARKER_FLAGS);
}

/** What a Session's record holds. */
export interface Content {
  readonly fields: Record<string, unknown>;
  /** When the Session was created, in milliseconds since 1970. */
  readonly createdAt: number;
  /** The Session's own ttl, in seconds; undefined: it uses the store's. */
  readonly ttl: number | undefined;
}

/** What was read under a key. */
export interface StoredRecord {
  /** The value: the fields if it is a Session, undefined if it is a marker. */
  readonly value: unknown;
  /** The content of a Session's record; undefined for anything else. */
  readonly session: Content | undefined;
  readonly encoded: Encoded;
  /** Whether this is a marker: the session that was here has moved to another id. */
  readonly marker: boolean;
  /** Whether another secret than the first has sealed it. */
  readonly outdated: boolean;
}

/** The value is sealed by a secret that the store does not have. `open` takes it for absent. */
export class UnknownSecretError extends CorruptValueError {
  constructor(flags: number) {
    super("the value is sealed by a secret that the store does not have", { flags });
  }
}

/** How a store encodes its records. */
interface RecordOptions {
  readonly serializer: Serializer | undefined;
  readonly seal: Seal | undefined;
  readonly maxBytes: number;
  /** The client's prefix. */
  readonly prefix: string;
}

/** Encodes and decodes what a store keeps. */
export class RecordCodec implements ValueCodec<StoredRecord> {
  readonly #options: RecordOptions;

  constructor(options: RecordOptions) {
    this.#options = options;
  }

  /** Encodes a value, into bytes of their own that the caller may keep. */
  encodeValue(value: unknown, session: 0 | typeof SESSION_FLAG = 0): Encoded {
    if (value === undefined) throw undefinedValue();
    const { serializer } = this.#options;
    if (serializer === undefined) {
      return new Encoded(copyOf(encodedView(value)), Flags.v8 | session);
    }
    const { data, flags } = serialized(serializer, value);
    if ((flags & OWN_FLAGS) !== 0) {
      throw invalidType(
        `serializer.serialize returned flags ${flags}; they must not have the bits 512, 1024 and 2048`,
      );
    }
    return new Encoded(new Uint8Array(data), (flags | session) >>> 0);
  }

  /** Encodes a Session's record. */
  encodeSession({ fields, createdAt, ttl }: Content): Encoded {
    // A JSON serializer would write Infinity as null, which means the store's ttl. 0 also never expires.
    const seconds = ttl === Infinity ? 0 : ttl ?? null;
    try {
      return this.encodeValue([fields, createdAt, seconds], SESSION_FLAG);
    } catch (error) {
      if (!isMemcachedError(error) || error.code !== "SERIALIZATION") throw error;
      throw inFields(error as SerializationError);
    }
  }

  /** Encodes a value, or takes an {@link Encoded} as it is, and seals it if the store has a secret. */
  encode(value: unknown, stored: Stored): void {
    const { plain, flags } = value instanceof Encoded ? value : this.encodeValue(value);
    const { maxBytes, prefix } = this.#options;
    // A marker is not sealed: it holds nothing but random bytes.
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

  decode(reply: Reply, key: string): StoredRecord {
    const { bytes, from, to, flags } = reply;
    if (flags > MAX_FLAGS) {
      throw corrupt(
        `no session store has written flags ${flags}: they have more than 32 bits`,
        flags,
      );
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

  /** Decodes a value or a Session's record. */
  read(encoded: Encoded, outdated: boolean = false): StoredRecord {
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
    // Copy: these bytes are kept to find changes, and the receive buffer will be overwritten.
    if (seal === undefined && !sealed) return { plain: copyOf(bytes, from, to), outdated: false };
    if (seal === undefined) {
      throw corrupt("the value is sealed, and the store has no secret", flags);
    }
    // Anybody who reaches the server may have written a value that is not sealed.
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
      if (inner !== Flags.v8) throw corrupt(`no session store has written flags ${flags}`, flags);
      return decode(plain, 0, plain.byteLength);
    }
    return deserialized(serializer, new Uint8Array(plain), inner);
  }
}

// This is by far the fastest way to copy a few hundred bytes: it takes 70 ns, `new Uint8Array(view)` 290.
function copyOf(bytes: Uint8Array, from: number = 0, to: number = bytes.byteLength): Buffer {
  const copy = Buffer.allocUnsafe(to - from);
  copy.set(from === 0 && to === bytes.byteLength ? bytes : bytes.subarray(from, to));
  return copy;
}

function readSession(record: unknown, flags: number): Content {
  if (Array.isArray(record) && record.length === 3) {
    const [fields, createdAt, ttl]: readonly unknown[] = record;
    // A ttl beyond the last exptime was never legal.
    const legal = isPlainObject(fields) && typeof createdAt === "number" &&
      Number.isFinite(createdAt) &&
      (ttl === null || (typeof ttl === "number" && ttl >= 0 && ttl <= MAX_EXPTIME));
    if (legal) return { fields, createdAt, ttl: ttl ?? undefined };
  }
  throw corrupt("the value is not a session's record", flags);
}

/** Reads a session from what was read. A plain object that `set` stored counts as a session created now. */
export function contentOf({ value, session, encoded }: StoredRecord): Content {
  if (session !== undefined) return session;
  if (isPlainObject(value)) return { fields: value, createdAt: Date.now(), ttl: undefined };
  throw corrupt("the stored value is not a session", encoded.flags);
}

/** Whether a value can be the fields of a Session. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** The same error with a path that begins at the fields, which the caller knows, not at the record. */
function inFields({ message, path, cause }: SerializationError): SerializationError {
  const own = path.replace(/^\[0\]\.?/, "");
  return new SerializationError(message.replace(path, () => own), { path: own, cause });
}

function corrupt(message: string, flags: number): CorruptValueError {
  return new CorruptValueError(message, { flags });
}

/** The client's options, checked once, and the options of a call. */
import { type Credentials, readCredentials } from "../address.ts";
import { checkObject, checkPlain, readOptions, unknownOption } from "../checks/options.ts";
import { checkMs, checkSerializer, checkSignal, checkWhole, oneOf } from "../checks/values.ts";
import type { Hashing, HashingName } from "../hashing/hashing.ts";
import { readTlsOptions, type TlsOptions } from "../connection/tls_options.ts";
import { checkPrefix } from "../protocol/key.ts";
import { checkHashedPrefix, type UnsafeKeys } from "./wire_key.ts";

/** Options of every call. */
export interface CallOptions {
  /** Deadline in ms from the call, queueing and connecting included. Default: the client's. */
  timeout?: number | undefined;
  /**
   * Rejects the call with `signal.reason` when it aborts. A request that was sent already still runs on
   * the server.
   */
  signal?: AbortSignal | undefined;
}

/** Options of a call that stores. */
export interface StoreOptions extends CallOptions {
  /** Seconds until the item expires. Default 0: never. */
  ttl?: number | undefined;
}

/** Replaces the table of values and flags. */
export interface Serializer {
  /** The bytes and the 32-bit flags to store for a value. */
  serialize(value: unknown): { data: Uint8Array; flags: number };
  /**
   * The value for stored bytes, which are a plain `Uint8Array` over a buffer of its own. The function may
   * keep them.
   */
  deserialize(data: Uint8Array, flags: number): unknown;
}

/** Options of a {@link Memcached} client. */
export interface MemcachedOptions {
  /** Which server holds which key. Default "ketama" (libmemcached's weighted ketama). */
  hashing?: HashingName | Hashing | undefined;
  /** Default "auto". "meta" and "classic" skip the `mn` probe, not `version`. */
  protocol?: "auto" | "meta" | "classic" | undefined;
  /** A prefix for every key. It is hashed with the key, and taken off again in results. Default "". */
  prefix?: string | undefined;
  /** Deadline of a call in ms. Default 1000. */
  timeout?: number | undefined;
  /** Deadline in ms of TCP, TLS, auth and probes together. Default 1000. */
  connectTimeout?: number | undefined;
  /** "rehash": keys of a down server go to the next in the preset's order. Default "none". */
  failover?: "none" | "rehash" | undefined;
  /** TLS to all servers; `true` for the runtime's defaults. SNI is the server's host. */
  tls?: boolean | TlsOptions | undefined;
  /**
   * memcached's text-protocol authentication (`-Y`); with `form: "memcachier"` that of MemCachier, whose first
   * command is another.
   */
  auth?:
    | { username: string; password: string; form?: "memcached" | "memcachier" | undefined }
    | undefined;
  /**
   * What is done with keys that memcached would not take (empty, with spaces or control characters, over 250
   * bytes with the prefix). "reject", the default: they are a TypeError. "hash": they are sent as the prefix,
   * as much of the key's start as is legal and has room, "#", and the key's SHA-256 in base64url; so is a
   * legal key that itself ends in "#" and 43 such characters. Results come back under the caller's keys;
   * `keys()` lists those on the server. The prefix then has at most 206 bytes. Session ids are never hashed.
   */
  unsafeKeys?: "reject" | "hash" | undefined;
  /**
   * Whose table of values and flags is read and written. Default "memwire". The others as that client does:
   * what it cannot express is a SerializationError; what nobody here can read (pickle, Marshal, Java
   * objects, igbinary) is a CorruptValueError that names it. A SessionStore on this client has its own
   * format. Not with `serializer`.
   */
  values?:
    | "memwire"
    | "python-memcached"
    | "php"
    | "dalli"
    | "spymemcached"
    | "memjs"
    | "memcached"
    | "memcache-client"
    | undefined;
  /**
   * Values of more bytes are compressed if that makes them smaller: by zlib and the flag bit 8, or as the
   * table of `values` has it. It is done before the call returns its promise, so writes keep their order.
   * Default: none. What is compressed is always read, up to `maxValueBytes`. Not with `serializer`; never
   * for sessions.
   */
  compressAbove?: number | undefined;
  /** Replaces the table of values and flags. */
  serializer?: Serializer | undefined;
  /**
   * The largest value to send or accept, in bytes. Default 1_048_000: no value up to this exceeds
   * memcached's own limit.
   */
  maxValueBytes?: number | undefined;
  /** Requests a connection may have unanswered. Default 16_384. */
  maxPending?: number | undefined;
  /**
   * The bytes of those requests. Default 33_554_432, or twice maxValueBytes if that is more. Calls for
   * many keys are sent in portions, leave half of both bounds to single calls, and wait for room. A
   * single call past a bound rejects with OverloadedError, a value that is larger than this bound with
   * ValueTooLargeError.
   */
  maxPendingBytes?: number | undefined;
}

/** The options with all defaults filled in. */
export interface ResolvedOptions {
  readonly hashing: HashingName | Hashing;
  readonly protocol: "auto" | "meta" | "classic";
  readonly prefix: string;
  readonly timeout: number;
  readonly connectTimeout: number;
  readonly failover: "none" | "rehash";
  readonly tls: TlsOptions | undefined;
  readonly auth: Credentials | undefined;
  readonly unsafeKeys: UnsafeKeys;
  readonly values: MemcachedOptions["values"];
  readonly compressAbove: number | undefined;
  readonly serializer: Serializer | undefined;
  readonly maxValueBytes: number;
  readonly maxPending: number;
  readonly maxPendingBytes: number;
}

/** Checks the options and fills in the defaults. */
export function resolveOptions(options: MemcachedOptions | undefined): ResolvedOptions {
  const { auth, tls, serializer, values, compressAbove, ...given } = readOptions(options, {
    hashing: undefined,
    protocol: undefined,
    prefix: undefined,
    timeout: undefined,
    connectTimeout: undefined,
    failover: undefined,
    tls: undefined,
    auth: undefined,
    unsafeKeys: undefined,
    values: undefined,
    compressAbove: undefined,
    serializer: undefined,
    maxValueBytes: undefined,
    maxPending: undefined,
    maxPendingBytes: undefined,
  });
  // Defaults of destructuring, which leave null as it is: null is refused.
  const { hashing = "ketama", protocol = "auto", prefix = "", failover = "none" } = given;
  const { timeout = 1000, connectTimeout = 1000, maxValueBytes = 1_048_000 } = given;
  const { maxPending = 16_384, unsafeKeys = "reject" } = given;
  checkPrefix(prefix, "prefix");
  if (unsafeKeys === "hash") checkHashedPrefix(prefix);
  // Room for two of the largest values, so that one does not keep all others out.
  const {
    maxPendingBytes = Math.max(33_554_432, 2 * checkWhole(maxValueBytes, "maxValueBytes", 1)),
  } = given;
  return {
    hashing,
    protocol: oneOf(protocol, ["auto", "meta", "classic"], "protocol"),
    prefix,
    timeout: checkMs(timeout, "timeout"),
    connectTimeout: checkMs(connectTimeout, "connectTimeout"),
    failover: oneOf(failover, ["none", "rehash"], "failover"),
    tls: readTlsOptions(tls),
    auth: auth === undefined ? undefined : readCredentials(auth),
    unsafeKeys: oneOf(unsafeKeys, ["reject", "hash"], "unsafeKeys"),
    values,
    compressAbove: compressAbove === undefined
      ? undefined
      : checkWhole(compressAbove, "compressAbove", 0),
    serializer: serializer === undefined ? undefined : checkSerializer(serializer),
    maxValueBytes: checkWhole(maxValueBytes, "maxValueBytes", 1),
    maxPending: checkWhole(maxPending, "maxPending", 1),
    maxPendingBytes: checkWhole(maxPendingBytes, "maxPendingBytes", 1),
  };
}

/** A call's options, checked once. They always have the same shape, which is fast. */
export class CheckedOptions {
  /** Milliseconds. */
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
  /** For a command that stores: seconds until the item expires. Checked when it becomes an exptime. */
  readonly ttl: number | undefined;
  /**
   * Whether the command is part of an operation that has begun: then it is sent although the client is
   * closing.
   */
  readonly begun: boolean;

  constructor(
    timeout: number,
    signal: AbortSignal | undefined,
    ttl: number | undefined,
    begun: boolean,
  ) {
    this.timeout = timeout;
    this.signal = signal;
    this.ttl = ttl;
    this.begun = begun;
  }
}

/**
 * Reads a call's options, with `ttl` if the call stores, as {@link readOptions} does. It has a loop of
 * its own, since it runs with every call: that takes 11 ns for `{ ttl }`, the general one 24.
 */
export function readCallOptions(
  options: StoreOptions,
  stores: boolean,
  defaultTimeout: number,
): CheckedOptions {
  checkObject(options, "options");
  let timeout: number | undefined;
  let signal: AbortSignal | undefined;
  let ttl: number | undefined;
  let empty = true;
  for (const name in options) {
    if (!Object.hasOwn(options, name)) continue;
    if (name === "timeout") timeout = options.timeout;
    else if (name === "signal") signal = options.signal;
    else if (name === "ttl" && stores) ttl = options.ttl;
    else throw unknownOption(name, stores ? STORE_NAMES : CALL_NAMES);
    empty = false;
  }
  if (empty) checkPlain(options, "options");
  return checkedOptions(timeout, signal, ttl, defaultTimeout);
}

/** The options that were given for a call, checked. */
export function checkedOptions(
  timeout: number | undefined,
  signal: AbortSignal | undefined,
  ttl: number | undefined,
  defaultTimeout: number,
): CheckedOptions {
  if (timeout !== undefined) checkMs(timeout, "timeout");
  if (signal !== undefined) checkSignal(signal);
  return new CheckedOptions(timeout ?? defaultTimeout, signal, ttl, false);
}

const CALL_NAMES = ["timeout", "signal"];
const STORE_NAMES = [...CALL_NAMES, "ttl"];

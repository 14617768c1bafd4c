/** The client's options, checked once, and the options of a call. */
import { checkCredentials, type Credentials } from "../address.ts";
import type { Hashing, HashingName } from "../hashing/hashing.ts";
import type { TlsOptions } from "../connection/socket.ts";
import type { PartOptions } from "./deadline.ts";
import { invalidRange, invalidType } from "../errors.ts";
import { checkPrefix } from "../protocol/key.ts";

/** Options of every call. */
export interface CallOptions {
  /** Deadline in ms from the call, queueing and connecting included. Default: the client's. */
  timeout?: number;
  /** Rejects with `signal.reason`; a request already sent still runs on the server. */
  signal?: AbortSignal;
}

/** Options of a call that stores. */
export interface StoreOptions extends CallOptions {
  /** Seconds to live. Default 0: never expires. */
  ttl?: number;
}

/** Replaces the table of values and flags. */
export interface Serializer {
  /** The bytes and the 32-bit flags to store for a value. */
  serialize(value: unknown): { data: Uint8Array; flags: number };
  /** The value for stored bytes, which are the function's own to keep. */
  deserialize(data: Uint8Array, flags: number): unknown;
}

/** Options of a {@link Memcached} client. */
export interface MemcachedOptions {
  /** Who holds which key. Default "ketama" (libmemcached's weighted ketama). */
  hashing?: HashingName | Hashing;
  /** Default "auto". "meta" and "classic" skip the `mn` probe, not `version`. */
  protocol?: "auto" | "meta" | "classic";
  /** Put before every key, hashed with it, taken off again in results. Default "". */
  prefix?: string;
  /** Deadline of a call in ms. Default 1000. */
  timeout?: number;
  /** Deadline in ms of TCP, TLS, auth and probes together. Default 1000. */
  connectTimeout?: number;
  /** "rehash": keys of a down server go to the next in the preset's order. Default "none". */
  failover?: "none" | "rehash";
  /** TLS to all servers; `true` for the runtime's defaults. SNI is the server's host. */
  tls?: boolean | TlsOptions;
  /** memcached's text-protocol authentication (`-Y`). */
  auth?: { username: string; password: string };
  /** Replaces the table of values and flags. */
  serializer?: Serializer;
  /** Largest value sent or received, bytes. Default 1_048_000: below it memcached's own limit never strikes. */
  maxValueBytes?: number;
  /** Requests a connection may have unanswered. Default 16_384. */
  maxPending?: number;
  /** Their bytes. Default 33_554_432. Multi-key calls go in portions that fit; a single call past a bound rejects with OverloadedError. */
  maxPendingBytes?: number;
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
  readonly serializer: Serializer | undefined;
  readonly maxValueBytes: number;
  readonly maxPending: number;
  readonly maxPendingBytes: number;
}

// The longest delay that timers take.
const MAX_MS = 2 ** 31 - 1;

/** Checks the options and fills in the defaults. */
export function resolveOptions(options: MemcachedOptions): ResolvedOptions {
  if (typeof options !== "object" || options === null) {
    throw invalidType("options must be an object");
  }
  const { protocol = "auto", failover = "none", tls = false, auth, serializer } = options;
  oneOf(protocol, ["auto", "meta", "classic"], "protocol");
  oneOf(failover, ["none", "rehash"], "failover");
  if (typeof tls !== "boolean" && (typeof tls !== "object" || tls === null)) {
    throw invalidType("tls must be a boolean or an object");
  }
  if (serializer !== undefined) checkSerializer(serializer);
  return {
    hashing: options.hashing ?? "ketama",
    protocol,
    prefix: checkPrefix(options.prefix ?? "", "prefix"),
    timeout: checkMs(options.timeout ?? 1000, "timeout"),
    connectTimeout: checkMs(options.connectTimeout ?? 1000, "connectTimeout"),
    failover,
    tls: tls === true ? {} : tls === false ? undefined : tls,
    auth: auth === undefined ? undefined : checkCredentials(auth),
    serializer,
    maxValueBytes: checkCount(options.maxValueBytes ?? 1_048_000, "maxValueBytes"),
    maxPending: checkCount(options.maxPending ?? 16_384, "maxPending"),
    maxPendingBytes: checkCount(options.maxPendingBytes ?? 33_554_432, "maxPendingBytes"),
  };
}

/** The timeout of a call, checked, or the default. */
export function callTimeout(
  options: CallOptions | PartOptions | undefined,
  byDefault: number,
): number {
  if (options === undefined) return byDefault;
  if (typeof options !== "object" || options === null) {
    throw invalidType("options must be an object");
  }
  const { timeout, signal } = options;
  if (signal !== undefined && typeof signal?.addEventListener !== "function") {
    throw invalidType("signal must be an AbortSignal");
  }
  return timeout === undefined ? byDefault : checkMs(timeout, "timeout");
}

/** Checks a duration in milliseconds. */
export function checkMs(value: unknown, name: string): number {
  if (typeof value !== "number") throw invalidType(`${name} must be a number of milliseconds`);
  if (!(value > 0 && value <= MAX_MS)) {
    throw invalidRange(`${name} must be more than 0 and at most ${MAX_MS} milliseconds`);
  }
  return value;
}

/** Checks a count of at least 1. */
export function checkCount(value: unknown, name: string): number {
  if (typeof value !== "number") throw invalidType(`${name} must be a number`);
  if (!Number.isSafeInteger(value) || value < 1) {
    throw invalidRange(`${name} must be a whole number of at least 1`);
  }
  return value;
}

/** Checks that a value is one of a few words. */
export function oneOf(value: unknown, words: readonly string[], name: string): void {
  if (!words.includes(value as string)) {
    throw invalidType(`${name} must be one of ${words.map((word) => `"${word}"`).join(", ")}`);
  }
}

/** Checks a serializer's two functions. */
export function checkSerializer(serializer: Serializer): void {
  if (
    typeof serializer?.serialize !== "function" || typeof serializer.deserialize !== "function"
  ) {
    throw invalidType("serializer must have the functions serialize and deserialize");
  }
}

/**
 * What can go wrong, as classes: one for each decision that a caller takes, with a stable `code`.
 *
 * A message may name a server's address, a length, a limit or the server's own refusal; never a key,
 * an id, a value or other bytes of a reply.
 */
import type { ServerRef } from "./server_ref.ts";

/** What an error is told besides its message. */
export interface ErrorDetails {
  /** The server that was asked. */
  readonly server?: ServerRef | undefined;
  /** The error underneath. */
  readonly cause?: unknown;
  /** Whether a write may have happened although the call failed. */
  readonly ambiguous?: boolean | undefined;
}

// Marks the errors of every copy of this package in the process; `instanceof` works within one copy only.
const ERROR = Symbol.for("memwire.MemcachedError");

/** Base of all errors that a failing server, network or value causes; wrong arguments are `TypeError` and `RangeError`. */
export class MemcachedError extends Error {
  static {
    Object.defineProperty(this.prototype, ERROR, { value: true });
  }

  /** The name of the class. */
  override readonly name: string = "MemcachedError";
  /** Stable and short: `TIMEOUT`, `SERVER_DOWN`... */
  readonly code: string;
  /** The server that was asked, if one was. */
  declare readonly server?: ServerRef;
  /** A write that may or may not have happened: its reply was lost. */
  readonly ambiguous: boolean;

  /** Made by memwire. */
  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.ambiguous = details.ambiguous ?? false;
    if (details.server !== undefined) this.server = details.server;
  }
}

/**
 * `SERVER_DOWN`: the server is known to be down, or connecting failed (`cause`: refused, DNS, TLS, somebody
 * else on the port); nothing was sent. The message says what it looks like.
 */
export class ServerDownError extends MemcachedError {
  /** Always "ServerDownError". */
  override readonly name = "ServerDownError";
  /** Made by memwire. */
  constructor(message: string, details?: ErrorDetails) {
    super("SERVER_DOWN", message, details);
  }
}

/** `CONNECTION_LOST`: closed or reset with the call in flight. */
export class ConnectionLostError extends MemcachedError {
  /** Always "ConnectionLostError". */
  override readonly name = "ConnectionLostError";
  /** Made by memwire. */
  constructor(message: string, details?: ErrorDetails) {
    super("CONNECTION_LOST", message, details);
  }
}

/** `TIMEOUT`: the call's deadline passed, queueing and connecting included. */
export class TimeoutError extends MemcachedError {
  /** Always "TimeoutError". */
  override readonly name = "TimeoutError";
  /**
   * Where the call was when its time ran out: waiting for a connection, for room on one or for another
   * command of the same operation, or for the answer to what was sent.
   */
  readonly phase: "connecting" | "queued" | "sent";
  /** Made by memwire. */
  constructor(message: string, details?: ErrorDetails & { phase?: TimeoutError["phase"] }) {
    super("TIMEOUT", message, details);
    this.phase = details?.phase ?? "sent";
  }
}

/** `OVERLOADED`: `maxPending` or `maxPendingBytes` was reached, the message says which; nothing was sent. */
export class OverloadedError extends MemcachedError {
  /** Always "OverloadedError". */
  override readonly name = "OverloadedError";
  /** Made by memwire. */
  constructor(message: string, details?: ErrorDetails) {
    super("OVERLOADED", message, details);
  }
}

/** `CLOSED`: `close()` was called; nothing was sent. */
export class ClosedError extends MemcachedError {
  /** Always "ClosedError". */
  override readonly name = "ClosedError";
  /** Made by memwire. */
  constructor(message: string, details?: ErrorDetails) {
    super("CLOSED", message, details);
  }
}

/** `AUTH`: the server wants credentials, or other ones. */
export class AuthError extends MemcachedError {
  /** Always "AuthError". */
  override readonly name = "AuthError";
  /** Made by memwire. */
  constructor(message: string, details?: ErrorDetails) {
    super("AUTH", message, details);
  }
}

/** `SERVER_ERROR`: the server refused (out of memory, not a number...); its own words are in the message. */
export class ServerError extends MemcachedError {
  /** Always "ServerError". */
  override readonly name = "ServerError";
  /** By the refusal the server dropped what was stored before: memory was short. */
  readonly oldValueLost: boolean;
  /** Made by memwire. */
  constructor(message: string, details?: ErrorDetails & { oldValueLost?: boolean }) {
    super("SERVER_ERROR", message, details);
    this.oldValueLost = details?.oldValueLost ?? false;
  }
}

/** `VALUE_TOO_LARGE`: over `maxValueBytes` (nothing was sent), or over the server's own limit. */
export class ValueTooLargeError extends MemcachedError {
  /** Always "ValueTooLargeError". */
  override readonly name = "ValueTooLargeError";
  /** Refused by the server: what was stored before is gone. */
  readonly oldValueLost: boolean;
  /** Made by memwire. */
  constructor(message: string, details?: ErrorDetails & { oldValueLost?: boolean }) {
    super("VALUE_TOO_LARGE", message, details);
    this.oldValueLost = details?.oldValueLost ?? false;
  }
}

/** `PROTOCOL`: a reply that was not predicted; the connection was dropped. */
export class ProtocolError extends MemcachedError {
  /** Always "ProtocolError". */
  override readonly name = "ProtocolError";
  /** Made by memwire. */
  constructor(message: string, details?: ErrorDetails) {
    super("PROTOCOL", message, details);
  }
}

/** `UNSUPPORTED`: this server, dialect or option cannot. */
export class UnsupportedError extends MemcachedError {
  /** Always "UnsupportedError". */
  override readonly name = "UnsupportedError";
  /** Made by memwire. */
  constructor(message: string, details?: ErrorDetails) {
    super("UNSUPPORTED", message, details);
  }
}

/** `SERIALIZATION`: the value holds something that cannot be stored; nothing was sent. */
export class SerializationError extends MemcachedError {
  /** Always "SerializationError". */
  override readonly name = "SerializationError";
  /** Where in the value: `user.cb`; members of a Map or Set by position. */
  readonly path: string;
  /** Made by memwire. */
  constructor(message: string, details: ErrorDetails & { path: string }) {
    super("SERIALIZATION", message, details);
    this.path = details.path;
  }
}

/** `CORRUPT_VALUE`: what is stored cannot be read: unknown flags, damaged bytes, a broken seal. */
export class CorruptValueError extends MemcachedError {
  /** Always "CorruptValueError". */
  override readonly name = "CorruptValueError";
  /** The flags that were stored with the value. */
  readonly flags: number;
  /** Made by memwire. */
  constructor(message: string, details: ErrorDetails & { flags: number }) {
    super("CORRUPT_VALUE", message, details);
    this.flags = details.flags;
  }
}

/** `CONFLICT`: others kept writing, to the last of the tries. */
export class ConflictError extends MemcachedError {
  /** Always "ConflictError". */
  override readonly name = "ConflictError";
  /** Made by memwire. */
  constructor(message: string, details?: ErrorDetails) {
    super("CONFLICT", message, details);
  }
}

/**
 * `PARTIAL`: some keys (or servers) of a multi-key call failed; the message says how many of how many, and
 * by which codes. Both maps sit behind getters, so that
 * logging the error shows no key.
 */
export class PartialError<R = unknown> extends MemcachedError {
  /** Always "PartialError". */
  override readonly name = "PartialError";
  readonly #results: Map<string, R>;
  #errors: Map<string, MemcachedError> | (() => Map<string, MemcachedError>);

  /** Made by memwire. */
  constructor(
    message: string,
    parts: { results: Map<string, R>; errors: () => Map<string, MemcachedError> },
    details?: ErrorDetails,
  ) {
    super("PARTIAL", message, details);
    this.#results = parts.results;
    this.#errors = parts.errors;
  }

  /** What the servers that answered said, by key (or server id). */
  get results(): Map<string, R> {
    return this.#results;
  }

  /** Why the others failed, by key (or server id). */
  get errors(): Map<string, MemcachedError> {
    if (typeof this.#errors === "function") this.#errors = this.#errors();
    return this.#errors;
  }
}

/**
 * Whether an error is one of memwire's, from whichever copy of the package: a store's client or a
 * serializer may come from another one. Tell the kinds apart by `code`.
 */
export function isMemcachedError(error: unknown): error is MemcachedError {
  return typeof error === "object" && error !== null && ERROR in error;
}

/** A wrong argument's code: `TypeError` for a wrong kind or an illegal key, `RangeError` for a number or length out of range. */
export const INVALID_ARGUMENT = "ERR_INVALID_ARGUMENT";

/** A `TypeError` that says which rule an argument broke; nothing was sent. */
export function invalidType(rule: string): TypeError & { code: string } {
  return Object.assign(new TypeError(rule), { code: INVALID_ARGUMENT });
}

/** A `RangeError` that says which bound an argument broke; nothing was sent. */
export function invalidRange(rule: string): RangeError & { code: string } {
  return Object.assign(new RangeError(rule), { code: INVALID_ARGUMENT });
}

/** An error as PartialError and the channels have it: what is none of ours is a signal's reason. */
export function asMemcachedError(error: unknown): MemcachedError {
  if (isMemcachedError(error)) return error;
  return new MemcachedError("ABORTED", "the call was aborted", { cause: error });
}

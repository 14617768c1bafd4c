/**
 * The error classes: one for each decision that a caller may take, with a stable `code`.
 *
 * A message may name a server's address, a length, a limit or the server's own refusal; never a key,
 * an id, a value or other bytes of a reply.
 */
import type { ServerRef } from "./server_ref.ts";

/** What an error holds besides its message. */
export interface ErrorDetails {
  /** The server that was asked. */
  readonly server?: ServerRef | undefined;
  /** The error that caused this one. */
  readonly cause?: unknown;
  /** Whether a write may have happened although the call failed. */
  readonly ambiguous?: boolean | undefined;
}

// Marks the errors of every copy of this package in the process. `instanceof` works only within one copy.
const ERROR = Symbol.for("memwire.MemcachedError");

/**
 * Base of all errors that a failing server, network or value causes. Wrong arguments are a `TypeError` or
 * a `RangeError`.
 */
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
 * `SERVER_DOWN`: the server is known to be down, or connecting failed (`cause`: refused, DNS, TLS,
 * another program on the port). Nothing was sent. The message says what the cause looks like.
 */
export class ServerDownError extends MemcachedError {
  /** Always "ServerDownError". */
  override readonly name = "ServerDownError";
  /** Made by memwire. */
  constructor(message: string, details?: ErrorDetails) {
    super("SERVER_DOWN", message, details);
  }
}

/** `CONNECTION_LOST`: the connection was closed or reset with the call in flight. */
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
   * What the call waited for when its time ran out: "connecting", for a connection; "queued", for room on
   * one or for another command of the same operation; "sent", for the answer.
   */
  readonly phase: "connecting" | "queued" | "sent";
  /** Made by memwire. */
  constructor(message: string, details?: ErrorDetails & { phase?: TimeoutError["phase"] }) {
    super("TIMEOUT", message, details);
    this.phase = details?.phase ?? "sent";
  }
}

/**
 * `OVERLOADED`: `maxPending` or `maxPendingBytes` was reached; the message says which. Nothing was sent.
 */
export class OverloadedError extends MemcachedError {
  /** Always "OverloadedError". */
  override readonly name = "OverloadedError";
  /** Made by memwire. */
  constructor(message: string, details?: ErrorDetails) {
    super("OVERLOADED", message, details);
  }
}

/** `CLOSED`: the client was closed. Nothing was sent. */
export class ClosedError extends MemcachedError {
  /** Always "ClosedError". */
  override readonly name = "ClosedError";
  /** Made by memwire. */
  constructor(message: string, details?: ErrorDetails) {
    super("CLOSED", message, details);
  }
}

/** `AUTH`: the server asks for credentials, or has refused those that were given. */
export class AuthError extends MemcachedError {
  /** Always "AuthError". */
  override readonly name = "AuthError";
  /** Made by memwire. */
  constructor(message: string, details?: ErrorDetails) {
    super("AUTH", message, details);
  }
}

/**
 * `SERVER_ERROR`: the server refused the command (out of memory, not a number...). Its own words are in
 * the message.
 */
export class ServerError extends MemcachedError {
  /** Always "ServerError". */
  override readonly name = "ServerError";
  /** Whether the server dropped the value that was stored before, because memory was short. */
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
  /** Whether the server, in refusing the value, dropped the one that was stored before. */
  readonly oldValueLost: boolean;
  /** Made by memwire. */
  constructor(message: string, details?: ErrorDetails & { oldValueLost?: boolean }) {
    super("VALUE_TOO_LARGE", message, details);
    this.oldValueLost = details?.oldValueLost ?? false;
  }
}

/** `PROTOCOL`: an unexpected reply. The connection was dropped. */
export class ProtocolError extends MemcachedError {
  /** Always "ProtocolError". */
  override readonly name = "ProtocolError";
  /** Made by memwire. */
  constructor(message: string, details?: ErrorDetails) {
    super("PROTOCOL", message, details);
  }
}

/** `UNSUPPORTED`: this server, dialect or option cannot do it. */
export class UnsupportedError extends MemcachedError {
  /** Always "UnsupportedError". */
  override readonly name = "UnsupportedError";
  /** Made by memwire. */
  constructor(message: string, details?: ErrorDetails) {
    super("UNSUPPORTED", message, details);
  }
}

/** `SERIALIZATION`: the value holds something that cannot be stored. Nothing was sent. */
export class SerializationError extends MemcachedError {
  /** Always "SerializationError". */
  override readonly name = "SerializationError";
  /** Where in the value that is, for example `user.cb`. Members of a Map or Set are named by position. */
  readonly path: string;
  /** Made by memwire. */
  constructor(message: string, details: ErrorDetails & { path: string }) {
    super("SERIALIZATION", message, details);
    this.path = details.path;
  }
}

/** `CORRUPT_VALUE`: the stored value cannot be read: unknown flags, damaged bytes, a broken seal. */
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

/** `CONFLICT`: others kept writing until the last of the tries. */
export class ConflictError extends MemcachedError {
  /** Always "ConflictError". */
  override readonly name = "ConflictError";
  /** Made by memwire. */
  constructor(message: string, details?: ErrorDetails) {
    super("CONFLICT", message, details);
  }
}

/**
 * `PARTIAL`: some keys of a call for many keys failed, or some servers of a call to all. The message says
 * how many of how many, and with which codes. Both maps are behind getters, so that logging the error
 * shows no key.
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

  /** The results of the keys (or servers) that did not fail, by key (or server id). */
  get results(): Map<string, R> {
    return this.#results;
  }

  /** The errors of the others, by key (or server id). */
  get errors(): Map<string, MemcachedError> {
    if (typeof this.#errors === "function") this.#errors = this.#errors();
    return this.#errors;
  }
}

/**
 * Whether an error is one of memwire's, whichever copy of the package has made it: a store's client or a
 * serializer may come from another copy. Tell the kinds apart by `code`.
 */
export function isMemcachedError(error: unknown): error is MemcachedError {
  return typeof error === "object" && error !== null && ERROR in error;
}

/**
 * The code of the errors for wrong arguments: a `TypeError` for a wrong type or an illegal key, a
 * `RangeError` for a number or length out of range.
 */
export const INVALID_ARGUMENT = "ERR_INVALID_ARGUMENT";

/** A `TypeError` that says which rule an argument broke. Nothing was sent. */
export function invalidType(rule: string): TypeError & { code: string } {
  return Object.assign(new TypeError(rule), { code: INVALID_ARGUMENT });
}

/** A `RangeError` that says which bound an argument broke. Nothing was sent. */
export function invalidRange(rule: string): RangeError & { code: string } {
  return Object.assign(new RangeError(rule), { code: INVALID_ARGUMENT });
}

/**
 * An error as PartialError and the channels hold it. If it is not one of memwire's, it is a signal's
 * reason.
 */
export function asMemcachedError(error: unknown): MemcachedError {
  if (isMemcachedError(error)) return error;
  return new MemcachedError("ABORTED", "the call was aborted", { cause: error });
}

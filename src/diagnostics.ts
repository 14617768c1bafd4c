/**
 * What can be watched from outside, through `node:diagnostics_channel`. Nothing is built unless
 * somebody listens, and no message ever holds a key.
 */
import { type Channel, channel } from "node:diagnostics_channel";
import type { ServerRef } from "./address.ts";
import type { MemcachedError } from "./errors.ts";
import type { DialectName } from "./protocol/dialect.ts";

/** Published at a command's start and, the same object with what is known then, at its end. */
export interface CommandMessage {
  /** "get", "set"...: OpenTelemetry's `db.operation.name`. */
  readonly operation: string;
  /** The server that is asked: `server.address` and `server.port`. */
  readonly server: ServerRef;
  /** How many keys it names. */
  readonly keyCount: number;
  /** When it was called, in milliseconds since 1970. */
  readonly startTime: number;
  /** Milliseconds from the call to its end. */
  duration?: number;
  /** Why it failed: `error.type` is its `code`. */
  error?: MemcachedError;
}

/** Published when a connection is opened, ready for commands, or closed. */
export interface ConnectionMessage {
  readonly server: ServerRef;
  readonly event: "open" | "ready" | "close";
  readonly dialect?: DialectName;
  readonly version?: string;
  readonly error?: MemcachedError;
}

/** Published when a server comes up or goes down. */
export interface ServerMessage {
  readonly server: ServerRef;
  readonly state: "up" | "down";
  readonly error?: MemcachedError;
}

export const commandStart = channel("memwire:command:start") as Channel<unknown, CommandMessage>;
export const commandEnd = channel("memwire:command:end") as Channel<unknown, CommandMessage>;
export const connectionEvents = channel("memwire:connection") as Channel<
  unknown,
  ConnectionMessage
>;
export const serverEvents = channel("memwire:server") as Channel<unknown, ServerMessage>;

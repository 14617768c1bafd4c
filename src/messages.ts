/**
 * What is published on the diagnostics channels. These types are in a file apart from the channels,
 * because they are part of the package's types and must not need @types/node. No message ever holds a
 * key.
 */
import type { ServerRef } from "./server_ref.ts";
import type { MemcachedError } from "./errors.ts";

/**
 * Published on `memwire:command:start` when a command starts, and on `memwire:command:end` when it ends:
 * the same object, which then has more properties. Both times in the async context of the call.
 */
export interface CommandMessage {
  /** "get", "set"...: OpenTelemetry's `db.operation.name`. */
  readonly operation: string;
  /** The server that is asked: `server.address` and `server.port`. */
  readonly server: ServerRef;
  /** How many keys the command names. */
  readonly keyCount: number;
  /**
   * Of a command that reads: how many of its keys were there. Known at the end, unless a command for one
   * key has failed.
   */
  hitCount?: number;
  /** Of a command that reads: how many of its keys were not there. */
  missCount?: number;
  /** When the command was called, in milliseconds since 1970. */
  readonly startTime: number;
  /** Milliseconds from the call to the end of the command. */
  duration?: number;
  /**
   * Why the command failed; its `code` is OpenTelemetry's `error.type`. For a command for many keys, the
   * first error of a key.
   */
  error?: MemcachedError;
}

/** Published on `memwire:connection` when a connection is opened, ready for commands, or closed. */
export interface ConnectionMessage {
  /** The server that the connection leads to. */
  readonly server: ServerRef;
  /** What has happened to the connection. */
  readonly event: "open" | "ready" | "close";
  /** When ready: the dialect that is spoken. */
  readonly dialect?: "classic" | "meta";
  /** When ready: the server's version; "" if the server does not tell it. */
  readonly version?: string;
  /** When ready: what is likely to go wrong with it, if something is. */
  readonly warning?: string;
  /** When closed: why, unless the client or the server closed it normally. */
  readonly error?: MemcachedError;
}

/** Published on `memwire:server` when a server comes up or goes down. */
export interface ServerMessage {
  /** The server. */
  readonly server: ServerRef;
  /** Its state from now on. */
  readonly state: "up" | "down";
  /** When down: why. */
  readonly error?: MemcachedError;
}

/**
 * Published on `memwire:discovery` when the servers that a Discovery finds have changed, and when it has failed:
 * then the list stays as it was.
 */
export interface DiscoveryMessage {
  /** The list from now on; empty before the first one. */
  readonly servers: readonly ServerRef[];
  /** What went wrong, if something did. */
  readonly error?: MemcachedError;
}

/** Published on `memwire:fetch` when a `fetch` has ended, once for each caller and key. */
export interface FetchMessage {
  /**
   * `hit`: a fresh value was there. `stale`: the old value was given, because another caller loads a new
   * one or loading has failed. `loaded`: this caller has loaded the value. `waited`: another caller has.
   * `bypassed`: the cache failed, and the value was loaded without it.
   */
  readonly result: "hit" | "stale" | "loaded" | "waited" | "bypassed";
  /** The server that the key belongs to; its id and address are "" while no list of servers is known. */
  readonly server: ServerRef;
  /** Milliseconds from the call to its end, loading included. */
  readonly duration: number;
  /** What went wrong: the loader's error, or the cache's if it could not be used. */
  readonly error?: unknown;
}

/**
 * What is published on the diagnostics channels. In a file apart from the channels, because these types
 * are published with the package and must not need @types/node. No message ever holds a key.
 */
import type { ServerRef } from "./server_ref.ts";
import type { MemcachedError } from "./errors.ts";

/**
 * Published on `memwire:command:start` and `memwire:command:end` at a command's start and, the same object with what is known then, at its end; both times in
 * the async context of the call.
 */
export interface CommandMessage {
  /** "get", "set"...: OpenTelemetry's `db.operation.name`. */
  readonly operation: string;
  /** The server that is asked: `server.address` and `server.port`. */
  readonly server: ServerRef;
  /** How many keys it names. */
  readonly keyCount: number;
  /** Of what reads: how many keys were there. Known at the end, unless a command for one key failed. */
  hitCount?: number;
  /** Of what reads: how many keys were not. */
  missCount?: number;
  /** When it was called, in milliseconds since 1970. */
  readonly startTime: number;
  /** Milliseconds from the call to its end. */
  duration?: number;
  /** Why it failed: `error.type` is its `code`. Of a command for many keys the first key's error. */
  error?: MemcachedError;
}

/** Published on `memwire:connection` when a connection is opened, ready for commands, or closed. */
export interface ConnectionMessage {
  /** The server it leads to. */
  readonly server: ServerRef;
  /** What has happened to it. */
  readonly event: "open" | "ready" | "close";
  /** When ready: the dialect that is spoken. */
  readonly dialect?: "classic" | "meta";
  /** When ready: what the server says of its version; "" if it does not. */
  readonly version?: string;
  /** When ready: what is likely to go wrong with it, if something is. */
  readonly warning?: string;
  /** When closed: why, unless the client or the server closed it in order. */
  readonly error?: MemcachedError;
}

/** Published on `memwire:server` when a server comes up or goes down. */
export interface ServerMessage {
  /** Which one. */
  readonly server: ServerRef;
  /** What it is from now on. */
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

/** Published on `memwire:fetch` when a `fetch` has come to its end, once for each caller and key. */
export interface FetchMessage {
  /**
   * `hit`: a fresh value was there. `stale`: the old value was given, because another caller loads a new
   * one or loading has failed. `loaded`: this caller has loaded. `waited`: another has. `bypassed`: the
   * cache failed, and the value was loaded without it.
   */
  readonly result: "hit" | "stale" | "loaded" | "waited" | "bypassed";
  /** The server that the key belongs to; its id and address are "" while no list of servers is known. */
  readonly server: ServerRef;
  /** Milliseconds from the call to its end, loading included. */
  readonly duration: number;
  /** What went wrong on the way: the loader's error, or the cache's when it could not be used. */
  readonly error?: unknown;
}

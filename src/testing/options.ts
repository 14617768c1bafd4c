/** What a server is started with, and what of it makes sense. */
import { Buffer } from "node:buffer";
import { invalidRange, invalidType } from "../errors.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { Certificate, Place } from "./listener.ts";
import type { Credentials, ServerSettings } from "./state.ts";

/**
 * What {@linkcode MemcachedServer.start} takes.
 *
 * @example
 * ```ts
 * import { MemcachedServer, type MemcachedServerOptions } from "memwire/testing";
 *
 * const options: MemcachedServerOptions = { host: "::1", memoryLimit: 1024 * 1024, outOfMemory: true };
 * const server = await MemcachedServer.start(options);
 * console.log(server.address); // [::1]:41923, for example
 * await server.stop();
 * ```
 */
export interface MemcachedServerOptions {
  /** TCP port, 0 to 65535. Default 0: one that is free. */
  port?: number | undefined;
  /** Interface to listen on. Default `"127.0.0.1"`: nobody else's machine. */
  host?: string | undefined;
  /** Path of a unix socket, instead of `port` and `host`. */
  path?: string | undefined;
  /** Bytes of all items together; the least recently used make room. Default 64 MiB. */
  memoryLimit?: number | undefined;
  /**
   * Bytes of one item, its key and some 60 bytes of overhead included: at least 1024, at most 1 GiB and half of
   * `memoryLimit`. Default 1 MiB.
   */
  maxItemSize?: number | undefined;
  /** Connections that may be open at a time; one more is told so and closed. Default 1024. */
  maxConnections?: number | undefined;
  /** Where the time comes from. Default: the machine's clock. */
  clock?: Clock | undefined;
  /** Refuses what does not fit into `memoryLimit` instead of making room (memcached's `-M`). Default false. */
  outOfMemory?: boolean | undefined;
  /** Whether items have version tokens; without them `cas` always fails (`-C`). Default true. */
  cas?: boolean | undefined;
  /** Whether `flush_all` is allowed (`-F`). Default true. */
  flush?: boolean | undefined;
  /** Whether the keys can be listed, by `lru_crawler metadump` (`-X`). Default true. */
  dump?: boolean | undefined;
  /** Seconds without a command after which a connection is closed (`-o idle_timeout`). Default 0: never. */
  idleTimeout?: number | undefined;
  /** Name and password that a client must tell first (`-Y`). Neither may be empty or have a space in it. */
  auth?: { username: string; password: string } | undefined;
  /** Speaks TLS with this certificate and private key, PEM. */
  tls?: { cert: string | Uint8Array; key: string | Uint8Array } | undefined;
}

/** Options that were looked at. */
export interface CheckedOptions {
  readonly place: Place;
  readonly settings: ServerSettings;
  readonly tls: Certificate | undefined;
}

const MEGABYTE = 1024 * 1024;

/** Looks at options; throws a `TypeError` or `RangeError` for a wrong one. */
export function checkOptions(options: MemcachedServerOptions): CheckedOptions {
  const { host = "127.0.0.1", port = 0, path, clock = systemClock, auth, tls } = options;
  const { memoryLimit = 64 * MEGABYTE, maxConnections = 1024, idleTimeout = 0 } = options;
  const { outOfMemory = false, cas = true, flush = true, dump = true } = options;
  const { maxItemSize = MEGABYTE } = options;
  if (path !== undefined && (options.port !== undefined || options.host !== undefined)) {
    throw invalidType("path goes without port and host");
  }
  if (path !== undefined && (typeof path !== "string" || path === "")) {
    throw invalidType("path must be a string, not empty");
  }
  if (typeof host !== "string" || host === "") {
    throw invalidType("host must be a string, not empty");
  }
  if (typeof clock?.now !== "function") throw invalidType("clock must have a now() method");
  checkWhole("port", port, 0, 65_535);
  checkWhole("memoryLimit", memoryLimit, 1024, Number.MAX_SAFE_INTEGER);
  checkWhole("maxItemSize", maxItemSize, 1024, 1024 * MEGABYTE);
  if (options.maxItemSize !== undefined && maxItemSize > memoryLimit / 2) {
    throw invalidRange(
      `maxItemSize must be at most half of memoryLimit (${memoryLimit}), not ${maxItemSize}`,
    );
  }
  checkWhole("maxConnections", maxConnections, 1, Number.MAX_SAFE_INTEGER);
  checkWhole("idleTimeout", idleTimeout, 0, 2 ** 31 - 1);
  for (const [name, value] of Object.entries({ outOfMemory, cas, flush, dump })) {
    if (typeof value !== "boolean") throw invalidType(`${name} must be true or false`);
  }
  if (tls !== undefined) {
    checkPem("tls.cert", tls?.cert);
    checkPem("tls.key", tls?.key);
  }
  return {
    place: path === undefined ? { host, port } : { path },
    tls,
    settings: {
      clock,
      limits: { memory: memoryLimit, item: maxItemSize, connections: maxConnections },
      evicts: !outOfMemory,
      cas,
      flush,
      dump,
      idleTimeout,
      users: auth === undefined ? undefined : [checkCredentials(auth)],
      tls: tls !== undefined,
    },
  };
}

/** Refuses what is no whole number in a range. */
export function checkWhole(name: string, value: unknown, least: number, most: number): void {
  if (typeof value !== "number") throw invalidType(`${name} must be a number`);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw invalidRange(`${name} must be a whole number from ${least} to ${most}, not ${value}`);
  }
}

/** A name and password that can be sent as the value of a `set`, one character per byte. */
function checkCredentials(auth: { username: string; password: string }): Credentials {
  const word = (name: "username" | "password"): string => {
    const value: unknown = auth?.[name];
    if (typeof value !== "string" || !/^[^\0-\x20]+$/.test(value)) {
      throw invalidType(`auth.${name} must be a string, not empty and without spaces`);
    }
    return Buffer.from(value).toString("latin1");
  };
  return { username: word("username"), password: word("password") };
}

function checkPem(name: string, value: unknown): void {
  const text = value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value;
  if (typeof text !== "string" || !text.includes("-----BEGIN ")) {
    throw invalidType(`${name} must be a PEM text, as a string or Uint8Array`);
  }
}

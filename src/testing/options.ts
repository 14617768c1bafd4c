/** What a server is started with, and what of it makes sense. */
import { Buffer } from "node:buffer";
import { type Given, readOptions } from "../checks/options.ts";
import { checkBoolean, checkText, checkWhole } from "../checks/values.ts";
import { invalidRange, invalidType } from "../errors.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { Certificate, Place } from "./place.ts";
import type { Credentials, ServerLimits, ServerSettings } from "./settings.ts";

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
export function checkOptions(options: MemcachedServerOptions | undefined): CheckedOptions {
  const given = readOptions<MemcachedServerOptions>(options, {
    port: undefined,
    host: undefined,
    path: undefined,
    memoryLimit: undefined,
    maxItemSize: undefined,
    maxConnections: undefined,
    clock: undefined,
    outOfMemory: undefined,
    cas: undefined,
    flush: undefined,
    dump: undefined,
    idleTimeout: undefined,
    auth: undefined,
    tls: undefined,
  });
  const { clock = systemClock, auth, tls } = given;
  if (typeof clock?.now !== "function") throw invalidType("clock must have a now() method");
  const { outOfMemory = false, cas = true, flush = true, dump = true, idleTimeout = 0 } = given;
  return {
    place: placeOf(given),
    tls: tls === undefined ? undefined : readCertificate(tls),
    settings: {
      clock,
      limits: limitsOf(given),
      evicts: !checkBoolean(outOfMemory, "outOfMemory"),
      cas: checkBoolean(cas, "cas"),
      flush: checkBoolean(flush, "flush"),
      dump: checkBoolean(dump, "dump"),
      idleTimeout: checkWhole(idleTimeout, "idleTimeout", 0, 2 ** 31 - 1),
      users: auth === undefined ? undefined : [readCredentials(auth)],
      tls: tls !== undefined,
    },
  };
}

function placeOf({ host, port, path }: Given<MemcachedServerOptions>): Place {
  if (path === undefined) {
    return {
      host: checkText(host ?? "127.0.0.1", "host"),
      port: checkWhole(port ?? 0, "port", 0, 65_535),
    };
  }
  if (port !== undefined || host !== undefined) {
    throw invalidType("path cannot be combined with port and host");
  }
  return { path: checkText(path, "path") };
}

function limitsOf(given: Given<MemcachedServerOptions>): ServerLimits {
  const { memoryLimit = 64 * MEGABYTE, maxItemSize = MEGABYTE, maxConnections = 1024 } = given;
  const memory = checkWhole(memoryLimit, "memoryLimit", 1024);
  const item = checkWhole(maxItemSize, "maxItemSize", 1024, 1024 * MEGABYTE);
  if (given.maxItemSize !== undefined && item > memory / 2) {
    throw invalidRange(
      `maxItemSize must be at most half of memoryLimit, ${memory / 2}, not ${item}`,
    );
  }
  return { memory, item, connections: checkWhole(maxConnections, "maxConnections", 1) };
}

/** A name and password that can be sent as the value of a `set`, one character per byte. */
function readCredentials(auth: { username: string; password: string }): Credentials {
  const given = readOptions(auth, { username: undefined, password: undefined }, "auth");
  const word = (value: unknown, name: string): string => {
    const text = checkText(value, name);
    // The password is a secret, so the message quotes nothing.
    if (/[\0-\x20]/.test(text)) throw invalidType(`${name} must have no space in it`);
    return Buffer.from(text).toString("latin1");
  };
  return {
    username: word(given.username, "auth.username"),
    password: word(given.password, "auth.password"),
  };
}

function readCertificate(tls: Certificate): Certificate {
  const { cert, key } = readOptions(tls, { cert: undefined, key: undefined }, "tls");
  return { cert: checkPem(cert, "tls.cert"), key: checkPem(key, "tls.key") };
}

function checkPem(value: unknown, name: string): string | Uint8Array {
  const text = value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value;
  if (typeof text !== "string" || !text.includes("-----BEGIN ")) {
    throw invalidType(`${name} must be a PEM text, as a string or Uint8Array`);
  }
  return value as string | Uint8Array;
}

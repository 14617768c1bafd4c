/** The options of a server, and the check that is made of them. */
import { Buffer } from "node:buffer";
import { type Given, readOptions } from "../checks/options.ts";
import { checkBoolean, checkText, checkWhole } from "../checks/values.ts";
import { invalidRange, invalidType } from "../errors.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { Certificate, Place } from "./place.ts";
import type { Credentials, ServerLimits, ServerSettings } from "./settings.ts";

/**
 * The options of {@linkcode MemcachedServer.start}.
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
  /** The TCP port, 0 to 65535. Default 0: the system chooses a free one. */
  port?: number | undefined;
  /** The interface to listen on. Default `"127.0.0.1"`, which other machines cannot reach. */
  host?: string | undefined;
  /** The path of a unix socket, instead of `port` and `host`. */
  path?: string | undefined;
  /** The bytes of all items together. Beyond it the least recently used ones make room. Default 64 MiB. */
  memoryLimit?: number | undefined;
  /**
   * The largest item in bytes, with its key and about 60 bytes of overhead: at least 1024, at most 1 GiB and
   * half of `memoryLimit`. Default 1 MiB.
   */
  maxItemSize?: number | undefined;
  /** How many connections may be open. One more gets an error and is closed. Default 1024. */
  maxConnections?: number | undefined;
  /** The clock that the server reads. Default: the machine's clock. */
  clock?: Clock | undefined;
  /** Refuses items that do not fit `memoryLimit` instead of making room (memcached's `-M`). Default false. */
  outOfMemory?: boolean | undefined;
  /** Whether items have version tokens. Without them `cas` always fails (`-C`). Default true. */
  cas?: boolean | undefined;
  /** Whether `flush_all` is allowed (`-F`). Default true. */
  flush?: boolean | undefined;
  /** Whether the keys can be listed, by `lru_crawler metadump` (`-X`). Default true. */
  dump?: boolean | undefined;
  /** After how many seconds without a command a connection is closed (`-o idle_timeout`). Default 0: never. */
  idleTimeout?: number | undefined;
  /** The name and password that a client must send first (`-Y`). Neither may be empty or contain a space. */
  auth?: { username: string; password: string } | undefined;
  /** Makes the server speak TLS, with this certificate and private key in PEM. */
  tls?: { cert: string | Uint8Array; key: string | Uint8Array } | undefined;
}

/** Options that were checked, with defaults filled in. */
export interface CheckedOptions {
  readonly place: Place;
  readonly settings: ServerSettings;
  readonly tls: Certificate | undefined;
}

const MEGABYTE = 1024 * 1024;

/** Checks options and fills in the defaults. Throws a `TypeError` or `RangeError` for a wrong one. */
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
      host: host === undefined ? "127.0.0.1" : checkText(host, "host"),
      port: port === undefined ? 0 : checkWhole(port, "port", 0, 65_535),
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

/** Reads a name and password, as a client sends them in the value of a `set`: one character per byte. */
function readCredentials(auth: { username: string; password: string }): Credentials {
  const given = readOptions(auth, { username: undefined, password: undefined }, "auth");
  const word = (value: unknown, name: string): string => {
    const text = checkText(value, name);
    // The password is a secret, so the message quotes nothing.
    if (/[\0-\x20]/.test(text)) {
      throw invalidType(`${name} must not contain a space or a control character`);
    }
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

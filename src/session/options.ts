/** A session store's options, checked once. */
import {
  callTimeout,
  checkCount,
  checkSerializer,
  type MemcachedOptions,
  oneOf,
  type Serializer,
} from "../client/options.ts";
import { Memcached } from "../client/memcached.ts";
import type { ServerSpec } from "../address.ts";
import { invalidRange, invalidType } from "../errors.ts";
import { toExptime } from "../protocol/exptime.ts";
import { checkPrefix } from "../protocol/key.ts";
import type { OnIteration } from "./listing.ts";
import { Seal } from "./seal.ts";

/** Options of a SessionStore. */
export interface SessionStoreOptions extends
  Pick<
    MemcachedOptions,
    "hashing" | "protocol" | "failover" | "timeout" | "connectTimeout" | "tls" | "auth"
  > {
  /** Servers of a client of the store's own, closed with it. Default "localhost:11211". */
  servers?: string | readonly ServerSpec[];
  /** Or a client to share, never closed by the store; then no client option may be given. */
  client?: Memcached;
  /** Put before every id. Must not be the beginning of another store's namespace. Default "WebwareSession". */
  namespace?: string;
  /** Seconds. Default 10_800. */
  ttl?: number;
  /** Seconds after creation at which a Session ends, however active. Default: never. */
  absoluteTtl?: number;
  /** keys, entries, size, clear: do nothing and warn at each call (default), reject with UnsupportedError, do nothing, or list by metadump. */
  onIteration?: "warning" | "error" | "none" | "scan";
  /** Refresh an unchanged session in storeSession too. Default false: open has done it. */
  alwaysSave?: boolean;
  /** storeSession and save are a plain set, as in the seed. Default false. */
  lastWriteWins?: boolean;
  /** Hides ids and seals values; a list rotates: the first writes, all read. 16 bytes at least; undefined is refused. */
  secret?: string | readonly string[];
  /** Largest encoded value, bytes. Default 1_000_000. */
  maxBytes?: number;
  /** Instead of the V8 format. The same value must give the same bytes, by which changes are found; its flags may not have the bits 512 and 1024. */
  serializer?: Serializer;
}

/**
 * The options with all defaults filled in.
 *
 * @internal
 */
export interface ResolvedStoreOptions {
  readonly client: Memcached;
  readonly ownsClient: boolean;
  readonly namespace: string;
  readonly ttl: number;
  readonly absoluteTtl: number;
  readonly onIteration: OnIteration;
  readonly alwaysSave: boolean;
  readonly lastWriteWins: boolean;
  readonly seal: Seal | undefined;
  readonly maxBytes: number;
  readonly serializer: Serializer | undefined;
}

const CLIENT_OPTIONS = [
  "servers",
  "hashing",
  "protocol",
  "failover",
  "timeout",
  "connectTimeout",
  "tls",
  "auth",
] as const;

/**
 * Checks the options and fills in the defaults.
 *
 * @internal
 */
export function resolveStoreOptions(options: SessionStoreOptions): ResolvedStoreOptions {
  callTimeout(options, 1); // an object, and a timeout that a client takes
  const { ttl = 10_800, absoluteTtl = Infinity, onIteration = "warning", serializer } = options;
  toExptime(ttl);
  if (typeof absoluteTtl !== "number") throw invalidType("absoluteTtl must be a number of seconds");
  if (!(absoluteTtl > 0)) throw invalidRange("absoluteTtl must be more than 0 seconds");
  toExptime(absoluteTtl, undefined, "absoluteTtl"); // as what is left of it will be, with each write
  oneOf(onIteration, ["warning", "error", "none", "scan"], "onIteration");
  if (serializer !== undefined) checkSerializer(serializer);
  return {
    namespace: checkPrefix(options.namespace ?? "WebwareSession", "namespace"),
    ttl,
    absoluteTtl,
    onIteration,
    alwaysSave: checkBoolean(options.alwaysSave ?? false, "alwaysSave"),
    lastWriteWins: checkBoolean(options.lastWriteWins ?? false, "lastWriteWins"),
    // Given but undefined, as an unset variable of the environment is: never to be left unsealed by that.
    seal: Object.hasOwn(options, "secret") ? new Seal(options.secret as string) : undefined,
    maxBytes: checkCount(options.maxBytes ?? 1_000_000, "maxBytes"),
    serializer,
    ...clientOf(options),
  };
}

function clientOf(options: SessionStoreOptions): { client: Memcached; ownsClient: boolean } {
  const given: Record<string, unknown> = {};
  for (const name of CLIENT_OPTIONS) {
    if (options[name] !== undefined) given[name] = options[name];
  }
  if (options.client === undefined) {
    const { servers, ...rest } = given as SessionStoreOptions;
    // Only maxBytes limits what a store keeps; the client's own limit must not strike before it.
    const maxValueBytes = Math.max(1_048_000, options.maxBytes ?? 0);
    return { client: new Memcached(servers, { ...rest, maxValueBytes }), ownsClient: true };
  }
  if (!(options.client instanceof Memcached)) throw invalidType("client must be a Memcached");
  const [clash] = Object.keys(given);
  if (clash !== undefined) throw invalidType(`${clash} is an option of the client that was given`);
  return { client: options.client, ownsClient: false };
}

function checkBoolean(value: unknown, name: string): boolean {
  if (typeof value !== "boolean") throw invalidType(`${name} must be true or false`);
  return value;
}

/** A session store's options, checked once. */
import type { ServerSpec } from "../address.ts";
import { type Given, readOptions } from "../checks/options.ts";
import { checkBoolean, checkSerializer, checkWhole, kindOf, oneOf } from "../checks/values.ts";
import type { Discovery } from "../cluster/discovery.ts";
import { coreOf } from "../client/copies.ts";
import { Memcached } from "../client/memcached.ts";
import type { MemcachedOptions, Serializer } from "../client/options.ts";
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
  /** Servers of a client of the store's own, closed with it, or what finds them. Default "localhost:11211". */
  servers?: string | readonly ServerSpec[] | Discovery | undefined;
  /** Or a client to share, never closed by the store; then no client option may be given. */
  client?: Memcached | undefined;
  /** Put before every id. Must not be the beginning of another store's namespace. Default "WebwareSession". */
  namespace?: string | undefined;
  /** Seconds. Default 10_800. */
  ttl?: number | undefined;
  /** Seconds after creation at which a Session ends, however active. Default: never. */
  absoluteTtl?: number | undefined;
  /** keys, entries, size, clear: do nothing and warn at each call (default), reject with UnsupportedError, do nothing, or list by metadump. */
  onIteration?: "warning" | "error" | "none" | "scan" | undefined;
  /** Refresh an unchanged session in storeSession too. Default false: open has done it. */
  alwaysSave?: boolean | undefined;
  /** storeSession is a plain set, as in Webware. Default false. */
  lastWriteWins?: boolean | undefined;
  /** Seals values (AES-256-GCM) and hides ids (SHA-256, so that a dump of memcached shows none; ids that can be guessed can be guessed there too). A list rotates: the first seals, all open. 16 bytes at least; undefined is refused. */
  secret?: string | readonly string[];
  /** Largest encoded value, bytes. Default 1_000_000. */
  maxBytes?: number | undefined;
  /** Instead of the V8 format. The same value must give the same bytes, by which changes are found; its flags may not have the bits 512, 1024 and 2048. */
  serializer?: Serializer | undefined;
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

/**
 * Takes the options that were given; one that is undefined was not.
 *
 * @internal
 */
export function readStoreOptions(
  options: SessionStoreOptions | undefined,
): Given<SessionStoreOptions> {
  return readOptions<SessionStoreOptions>(options, {
    servers: undefined,
    client: undefined,
    namespace: undefined,
    ttl: undefined,
    absoluteTtl: undefined,
    onIteration: undefined,
    alwaysSave: undefined,
    lastWriteWins: undefined,
    secret: undefined,
    maxBytes: undefined,
    serializer: undefined,
    hashing: undefined,
    protocol: undefined,
    failover: undefined,
    timeout: undefined,
    connectTimeout: undefined,
    tls: undefined,
    auth: undefined,
  });
}

/**
 * Checks the options and fills in the defaults.
 *
 * @internal
 */
export function resolveStoreOptions(
  options: SessionStoreOptions | undefined,
): ResolvedStoreOptions {
  const { servers, client, secret, serializer, ...given } = readStoreOptions(options);
  const { hashing, protocol, failover, timeout, connectTimeout, tls, auth, ...own } = given;
  const { namespace = "WebwareSession", ttl = 10_800, absoluteTtl = Infinity } = own;
  const { onIteration = "warning", alwaysSave = false, lastWriteWins = false } = own;
  const { maxBytes = 1_000_000 } = own;
  toExptime(ttl);
  if (typeof absoluteTtl !== "number") {
    throw invalidType(`absoluteTtl must be a number of seconds, not ${kindOf(absoluteTtl)}`);
  }
  if (!(absoluteTtl > 0)) throw invalidRange("absoluteTtl must be more than 0 seconds");
  toExptime(absoluteTtl, undefined, "absoluteTtl"); // as what is left of it will be, with each write
  const ofClient = { hashing, protocol, failover, timeout, connectTimeout, tls, auth };
  return {
    namespace: checkPrefix(namespace, "namespace"),
    ttl,
    absoluteTtl,
    onIteration: oneOf(onIteration, ["warning", "error", "none", "scan"], "onIteration"),
    alwaysSave: checkBoolean(alwaysSave, "alwaysSave"),
    lastWriteWins: checkBoolean(lastWriteWins, "lastWriteWins"),
    // Given but undefined, as an unset variable of the environment is: never to be left unsealed by that.
    seal: options !== undefined && Object.hasOwn(options, "secret")
      ? new Seal(secret as string)
      : undefined,
    maxBytes: checkWhole(maxBytes, "maxBytes", 1),
    serializer: serializer === undefined ? undefined : checkSerializer(serializer),
    ...(client === undefined
      ? {
        // Only maxBytes limits what a store keeps; the client's own limit must not strike before it.
        client: new Memcached(servers, {
          ...ofClient,
          maxValueBytes: Math.max(1_048_000, maxBytes),
        }),
        ownsClient: true,
      }
      : { client: sharedClient(client, { servers, ...ofClient }), ownsClient: false }),
  };
}

/** The client that was given; with it none of a client's options may be. */
function sharedClient(client: Memcached, options: Readonly<Record<string, unknown>>): Memcached {
  coreOf(client); // throws for anything else
  const clash = Object.keys(options).find((name) => options[name] !== undefined);
  if (clash !== undefined) throw invalidType(`${clash} cannot be combined with client`);
  return client;
}

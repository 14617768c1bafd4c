/** The options of a session store, and the check that its constructor makes of them. */
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
  /**
   * Servers for a client that the store makes and closes itself, or what finds them. Default
   * "localhost:11211".
   */
  servers?: string | readonly ServerSpec[] | Discovery | undefined;
  /** A client to share instead. The store never closes it. `servers` and client options are refused with it. */
  client?: Memcached | undefined;
  /** Put before every id. No store's namespace may begin with another's. Default "WebwareSession". */
  namespace?: string | undefined;
  /** Seconds that a session lives after its last request. 0 and Infinity: for ever. Default 10_800. */
  ttl?: number | undefined;
  /** Seconds after its creation at which a Session ends, however active it is. Default: never. */
  absoluteTtl?: number | undefined;
  /**
   * What keys, entries, size and clear do. "warning": nothing, with a warning at each call. "error": reject
   * with UnsupportedError. "none": nothing. "scan": list the keys by metadump. Default "warning".
   */
  onIteration?: "warning" | "error" | "none" | "scan" | undefined;
  /** storeSession refreshes the ttl of an unchanged session too. Default false, because open has done it. */
  alwaysSave?: boolean | undefined;
  /** storeSession writes by a plain set, as in Webware: the last write wins. Default false. */
  lastWriteWins?: boolean | undefined;
  /**
   * Seals values (AES-256-GCM) and stores a SHA-256 hash in place of each id, so that a dump of memcached
   * shows no id; an id that can be guessed can be checked against its hash. A list lets secrets rotate: the
   * first one seals, each one opens. At least 16 bytes each. undefined is refused.
   */
  secret?: string | readonly string[];
  /** The largest encoded value, in bytes. Default 1_000_000. */
  maxBytes?: number | undefined;
  /**
   * Replaces the V8 format. It must encode the same value to the same bytes, because changes are found by
   * comparing bytes, and its flags must not have the bits 512, 1024 and 2048.
   */
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
 * Reads the options that were given. An option that is undefined counts as not given.
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
  if (!(absoluteTtl > 0)) {
    throw invalidRange(`absoluteTtl must be more than 0 seconds, not ${absoluteTtl}`);
  }
  toExptime(absoluteTtl, undefined, "absoluteTtl"); // writes send what remains of it as an exptime
  const ofClient = { hashing, protocol, failover, timeout, connectTimeout, tls, auth };
  return {
    namespace: checkPrefix(namespace, "namespace"),
    ttl,
    absoluteTtl,
    onIteration: oneOf(onIteration, ["warning", "error", "none", "scan"], "onIteration"),
    alwaysSave: checkBoolean(alwaysSave, "alwaysSave"),
    lastWriteWins: checkBoolean(lastWriteWins, "lastWriteWins"),
    // `secret: process.env.SECRET` with the variable unset must throw, not store sessions unsealed.
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

/** Checks a shared client, and that no option of a client was given beside it. */
function sharedClient(client: Memcached, options: Readonly<Record<string, unknown>>): Memcached {
  coreOf(client); // throws for anything else
  const clash = Object.keys(options).find((name) => options[name] !== undefined);
  if (clash !== undefined) throw invalidType(`${clash} cannot be combined with client`);
  return client;
}

/**
 * npm memcached, which uses npm hashring: ketama's points and keys, with shares in double precision.
 *
 * Source: hashring/index.js continuum(), find(), range(); memcached/lib/memcached.js, which passes
 * 11211 as hashring's "default port"; connection-parse/index.js.
 */
import { type Address, DEFAULT_PORT } from "../address.ts";
import type { Hashing } from "./hashing.ts";
import { ketamaRing, walking } from "./ketama_ring.ts";
import { hashingOf } from "./selector.ts";

/** Digests of a server of average weight ("vnode count"); each gives four points. */
const DIGESTS = 40;

/** npm memcached's ring. */
export const hashring: Hashing = hashingOf((servers) =>
  walking(ketamaRing(servers, digestsOf), servers.length)
);

function digestsOf(weight: number, total: number, count: number): number {
  return Math.floor((weight / total) * DIGESTS * count);
}

/**
 * As npm memcached's ring names a server: `host`, or `host:port` for another port than 11211; a
 * unix socket by its path. `[v6]:port` keeps 11211: connection-parse, splitting at each colon, does not find the port.
 */
export function hashringId(address: Address): string {
  if (address.kind === "unix") return address.path;
  const { host, port } = address;
  if (host.includes(":")) return `[${host}]:${port}`;
  return port === DEFAULT_PORT ? host : `${host}:${port}`;
}

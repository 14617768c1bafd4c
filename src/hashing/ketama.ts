/**
 * libmemcached's MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED: php-memcached's OPT_LIBKETAMA_COMPATIBLE,
 * pylibmc's `ketama_weighted`; with ids set to the names in its yml also nutcracker's ketama with md5.
 *
 * Source: libmemcached/hosts.cc update_continuum(), libmemcached/hash.cc dispatch_host().
 */
import { type Address, DEFAULT_PORT } from "../address.ts";
import type { Hashing } from "./hashing.ts";
import { ketamaRing, walking } from "./ketama_ring.ts";
import { hashingOf } from "./selector.ts";

/** Points of a server of average weight (MEMCACHED_POINTS_PER_SERVER_KETAMA); each md5 gives four. */
const POINTS = 160;

/** libmemcached's weighted ketama. */
export const ketama: Hashing = hashingOf((servers) =>
  walking(ketamaRing(servers, digestsOf), servers.length)
);

/**
 * Digests of a server, in float32 step by step as the C computes them: `floor(pct * 160 / 4 * (float)
 * live + 0.0000000001F)`, so even equal servers may get 39 instead of 40.
 */
export function digestsOf(weight: number, total: number, count: number): number {
  const f = Math.fround;
  const share = f(f(weight) / f(total));
  return Math.floor(f(f(f(f(share * POINTS) / 4) * f(count)) + f(1e-10)));
}

/**
 * As libmemcached writes a server on the ring: `host`, or `host:port` for another port than 11211,
 * IPv6 without brackets; a unix socket is a host of port 0 (memcached_server_add_unix_socket, so
 * pylibmc and `--SOCKET`; php-memcached's addServer("/path", 0) gives it 11211: there the id is the
 * bare path).
 */
export function libmemcachedId(address: Address): string {
  if (address.kind === "unix") return `${address.path}:0`;
  return address.port === DEFAULT_PORT ? address.host : `${address.host}:${address.port}`;
}

/**
 * python-memcached: each server is repeated `weight` times, the upper half of a CRC-32 is taken modulo
 * their number, and there are ten tries when servers are dead.
 *
 * Source: memcache.py, cmemcache_hash(), Client._init_buckets(), Client._get_server().
 */
import type { Address } from "../address.ts";
import { crc32 } from "./crc32.ts";
import type { Hashing, HashServer, Selector } from "./hashing.ts";
import { distinct, hashingOf } from "./selector.ts";

/** Client._SERVER_RETRIES. */
const TRIES = 10;

/** python-memcached from 1.60 on. */
export const pythonMemcached: Hashing = hashingOf((servers) => bucketsOf(servers, hash));

/** python-memcached up to 1.59: a hash of 0 becomes 1. */
export const pythonMemcached159: Hashing = hashingOf((servers) =>
  bucketsOf(servers, (text) => hash(text) || 1)
);

function hash(text: string): number {
  return (crc32(text) >>> 16) & 0x7fff;
}

/**
 * python-memcached repeats a server `weight` times in a list. Here only the end of each server's stretch
 * is kept.
 */
function bucketsOf(servers: readonly HashServer[], hash: (text: string) => number): Selector {
  const count = servers.length;
  let total = 0;
  const ends = Float64Array.from(servers, ({ weight }) => total += weight);
  const serverAt = (bucket: number): number => {
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (ends[middle]! <= bucket) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  function* tries(key: string): Generator<number, void, undefined> {
    let value = hash(key);
    for (let i = 0; i < TRIES; i++) {
      yield serverAt(value % total);
      value = hash(`${value}${i}`);
    }
  }
  return {
    pick: (key) => serverAt(hash(key) % total),
    order: (key) => distinct(tries(key), count),
  };
}

/** The address as in python-memcached's list of servers. Its hashing uses only the position. */
export function pythonMemcachedId(address: Address): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  const { host, port } = address;
  return host.includes(":") ? `inet6:[${host}]:${port}` : `${host}:${port}`;
}

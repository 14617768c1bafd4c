/**
 * dalli: 160 SHA-1 points for a server of average weight; a key belongs to the last point at or before
 * its CRC-32; when servers are down, the key is hashed again with the number of the try in front of it.
 *
 * Source: dalli/ring.rb build_continuum(), server_from_continuum(), server_for_hash_key();
 * dalli/protocol/connection_manager.rb name().
 */
import type { Address } from "../address.ts";
import { Continuum } from "./continuum.ts";
import { crc32 } from "./crc32.ts";
import type { Hashing } from "./hashing.ts";
import { distinct, hashingOf } from "./selector.ts";
import { sha1Word } from "./sha1.ts";

/** POINTS_PER_SERVER. */
const POINTS = 160;

/** server_from_continuum: "20.times". */
const TRIES = 20;

/** dalli's ring. */
export const dalli: Hashing = hashingOf((servers) => {
  const count = servers.length;
  const total = servers.reduce((sum, { weight }) => sum + weight, 0);
  // Ruby's sort_by does not define the order of equal points, and dalli takes the last of them.
  const ring = new Continuum(count, (add) => {
    servers.forEach(({ id, weight }, server) => {
      const points = Math.floor((count * POINTS * weight) / total);
      for (let i = 0; i < points; i++) add(sha1Word(`${id}:${i}`), server);
    });
  });
  const serverAt = (hash: number): number => ring.ownerOf(ring.atOrBefore(hash));
  function* tries(key: string): Generator<number, void, undefined> {
    yield serverAt(crc32(key));
    for (let i = 0; i < TRIES - 1; i++) yield serverAt(crc32(`${i}${key}`));
  }
  return {
    pick: (key) => serverAt(crc32(key)),
    order: (key) => distinct(tries(key), count),
  };
});

/** As dalli names a server: `host:port`, IPv6 without brackets; a unix socket by its path. */
export function dalliId(address: Address): string {
  return address.kind === "unix" ? address.path : `${address.host}:${address.port}`;
}

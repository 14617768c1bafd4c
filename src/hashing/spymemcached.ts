/**
 * spymemcached's KetamaConnectionFactory (Java): ketama's points and keys with names of its own, and seven
 * tries when servers are inactive.
 *
 * Source: KetamaNodeLocator.java setKetamaNodes(), KetamaIterator.java nextHash(),
 * KetamaNodeKeyFormatter.java getKeyForNode().
 */
import type { Address } from "../address.ts";
import { Continuum } from "./continuum.ts";
import type { Hashing } from "./hashing.ts";
import { digestsOf } from "./ketama.ts";
import { md5Word, md5Words } from "./md5.ts";
import { distinct, hashingOf } from "./selector.ts";

/** Digests of each server when no weights are given; each gives four points. */
const DIGESTS = 40;

/** KetamaNodeLocator.getSequence(): "Seven searches". */
const TRIES = 7;

/** spymemcached's ketama; weights that are all 1 are weights not given. */
export const spymemcached: Hashing = hashingOf((servers) => {
  const count = servers.length;
  const total = servers.reduce((sum, { weight }) => sum + weight, 0);
  // Its TreeMap keeps the last server put at a point.
  const ring = new Continuum(count, (add) => {
    servers.forEach(({ id, weight }, server) => {
      const digests = total === count ? DIGESTS : digestsOf(weight, total, count);
      for (let i = 0; i < digests; i++) {
        for (const point of md5Words(`${id}-${i}`)) add(point, server);
      }
    });
  }, "last");
  const serverAt = (hash: number): number => ring.ownerOf(ring.atOrAfter(hash));
  function* tries(key: string): Generator<number, void, undefined> {
    let hash = md5Word(key);
    for (let i = 0; i < TRIES; i++) {
      yield serverAt(hash);
      hash = (hash + md5Word(`${i}${key}`)) >>> 0;
    }
  }
  return {
    pick: (key) => serverAt(md5Word(key)),
    order: (key) => distinct(tries(key), count),
  };
});

/** As Java writes a socket address. */
export function spymemcachedId(address: Address): string {
  return address.kind === "unix" ? address.path : `${address.host}:${address.port}`;
}

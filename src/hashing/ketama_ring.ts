/** What ketama, hashring and spymemcached share: four points from each md5 of a server's name and a number. */
import { Continuum, type Ties } from "./continuum.ts";
import type { HashServer, Selector } from "./hashing.ts";
import { md5Word, md5Words } from "./md5.ts";
import { distinct } from "./selector.ts";

/** How many digests a server has, by its weight, the sum of all weights and the number of servers. */
type DigestsOf = (weight: number, total: number, count: number) => number;

/** The ring of the servers. */
export function ketamaRing(
  servers: readonly HashServer[],
  digestsOf: DigestsOf,
  ties: Ties = "first",
): Continuum {
  const count = servers.length;
  const total = servers.reduce((sum, { weight }) => sum + weight, 0);
  return new Continuum(count, (add) => {
    servers.forEach(({ id, weight }, server) => {
      const digests = digestsOf(weight, total, count);
      for (let i = 0; i < digests; i++) {
        for (const point of md5Words(`${id}-${i}`)) add(point, server);
      }
    });
  }, ties);
}

/** A key belongs to the next point on the ring, or, if that server is down, to the next server on it. */
export function walking(ring: Continuum, count: number): Selector {
  const positionOf = (key: string): number => ring.atOrAfter(md5Word(key));
  return {
    pick: (key) => ring.ownerOf(positionOf(key)),
    order: (key) => distinct(ring.walk(positionOf(key)), count),
  };
}

/**
 * npm memcached, by way of npm hashring: ketama's points and keys, with double precision shares.
 *
 * Source: hashring/index.js continuum(), find(), range(); memcached/lib/memcached.js, which passes
 * 11211 as hashring's "default port"; connection-parse/index.js.
 */
import { type Address, DEFAULT_PORT } from "../address.ts";
import { Continuum } from "./continuum.ts";
import type { Hashing } from "./hashing.ts";
import { md5Word, md5Words } from "./md5.ts";
import { distinct, hashingOf } from "./selector.ts";

/** Digests of a server of average weight ("vnode count"); each gives four points. */
const DIGESTS = 40;

/** npm memcached's ring. */
export const hashring: Hashing = hashingOf((servers) => {
  const count = servers.length;
  const total = servers.reduce((sum, { weight }) => sum + weight, 0);
  const ring = new Continuum(count, (add) => {
    servers.forEach(({ id, weight }, server) => {
      const digests = Math.floor((weight / total) * DIGESTS * count);
      for (let i = 0; i < digests; i++) {
        for (const point of md5Words(`${id}-${i}`)) add(point, server);
      }
    });
  });
  const positionOf = (key: string): number => ring.atOrAfter(md5Word(key));
  return {
    pick: (key) => ring.ownerOf(positionOf(key)),
    order: (key) => distinct(ring.walk(positionOf(key)), count),
  };
});

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

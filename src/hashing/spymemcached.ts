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

/**
 * As Java writes a socket address (14 and later; before, IPv6 has no brackets), the leading slash taken off:
 * `10.0.0.1:11211`, `[2001:db8:0:0:0:0:0:1]:11211`. A host name it writes with the address that it
 * resolved to, `name/10.0.0.1:11211`: nothing is resolved here, so there the id has to be given.
 * spymemcached has no unix sockets: there it is the path.
 */
export function spymemcachedId(address: Address): string {
  if (address.kind === "unix") return address.path;
  const host = address.host.includes(":") ? inet6(address.host) : address.host;
  return `${host}:${address.port}`;
}

/** Java's Inet6Address.toString(): all eight groups; an IPv4-mapped address is an Inet4Address. */
function inet6(host: string): string {
  const mapped = /^(?:::|(?:0+:){5})ffff:([0-9.]+)$/i.exec(host);
  if (mapped?.[1]?.includes(".")) return mapped[1];
  const [address = "", scope] = host.split("%");
  const [before = [], after = []] = address.split("::").map((part) => part.split(":"));
  const groups = (part: string[]): string[] =>
    part.filter((group) => group !== "").map((group) => parseInt(group, 16).toString(16));
  const [left, right] = [groups(before), groups(after)];
  const zeros = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => "0");
  return `[${[...left, ...zeros, ...right].join(":")}${scope === undefined ? "" : `%${scope}`}]`;
}

/**
 * spymemcached's KetamaConnectionFactory (Java): ketama's points and keys, other names of servers, and
 * seven tries when servers are inactive.
 *
 * Source: KetamaNodeLocator.java setKetamaNodes(), KetamaIterator.java nextHash(),
 * KetamaNodeKeyFormatter.java getKeyForNode().
 */
import type { Address } from "../address.ts";
import type { Hashing } from "./hashing.ts";
import { digestsOf } from "./ketama.ts";
import { ketamaRing } from "./ketama_ring.ts";
import { md5Word } from "./md5.ts";
import { distinct, hashingOf } from "./selector.ts";

/** Digests of each server when no weights are given; each gives four points. */
const DIGESTS = 40;

/** KetamaNodeLocator.getSequence(): "Seven searches". */
const TRIES = 7;

/** spymemcached's ketama. If all weights are 1, they count as not given. */
export const spymemcached: Hashing = hashingOf((servers) => {
  const count = servers.length;
  const total = servers.reduce((sum, { weight }) => sum + weight, 0);
  // Its TreeMap keeps the last server that was put at a point.
  const ring = ketamaRing(servers, total === count ? () => DIGESTS : digestsOf, "last");
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
 * The address as Java 14 and later writes it, without the leading slash: `10.0.0.1:11211`,
 * `[2001:db8:0:0:0:0:0:1]:11211`. Before Java 14, IPv6 has no brackets. Java writes a host name with the
 * address that it was resolved to, `name/10.0.0.1:11211`. Nothing is resolved here, so for host names the
 * id has to be given. spymemcached has no unix sockets: here their id is the path.
 */
export function spymemcachedId(address: Address): string {
  if (address.kind === "unix") return address.path;
  const host = address.host.includes(":") ? inet6(address.host) : address.host;
  return `${host}:${address.port}`;
}

/** Java's Inet6Address.toString(): all eight groups; an IPv4-mapped address becomes an Inet4Address. */
function inet6(host: string): string {
  const [address = "", scope] = host.split("%");
  const [before = [], after = []] = address.split("::").map(groupsOf);
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => 0);
  const groups = [...before, ...zeros, ...after];
  const text = groups.map((group) => group.toString(16)).join(":");
  if (!text.startsWith("0:0:0:0:0:ffff:")) {
    return `[${text}${scope === undefined ? "" : `%${scope}`}]`;
  }
  return groups.slice(6).flatMap((group) => [group >> 8, group & 0xff]).join(".");
}

/** `"db8:10.0.0.1"` to `[0xdb8, 0xa00, 1]`. */
function groupsOf(part: string): number[] {
  return part.split(":").filter((group) => group !== "").flatMap((group) => {
    if (!group.includes(".")) return [parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number);
    return [(a << 8) | b, (c << 8) | d];
  });
}

/**
 * pymemcache's HashClient: the server with the highest hash of "server-key".
 *
 * pymemcache knows no weights. Here servers of equal weight are chosen exactly as there. With different
 * weights, each server gets its share of the keys by the weighted form of the same comparison, -weight /
 * ln(score), which gives servers of equal weight the same order.
 *
 * Source: pymemcache/client/rendezvous.py get_node(), client/hash.py _make_client_key().
 */
import type { Address } from "../address.ts";
import type { Hashing } from "./hashing.ts";
import { lowBytes, murmur3, murmur3Start } from "./murmur3.ts";
import { hashingOf } from "./selector.ts";

/** pymemcache's choice of server. */
export const rendezvous: Hashing = hashingOf((servers) => {
  const count = servers.length;
  const starts = servers.map(({ id }) => murmur3Start(`${id}-`));
  const equal = servers.every(({ weight }) => weight === servers[0]?.weight);
  const scoreOf = (server: number, key: Uint8Array): number => {
    const score = murmur3(starts[server]!, key);
    if (equal) return score;
    return -servers[server]!.weight / Math.log((score + 0.5) / 2 ** 32);
  };
  /** Of two servers with the same score the greater name wins ("max(str(node), str(winner))"). */
  const isAhead = (server: number, score: number, other: number, otherScore: number): boolean => {
    if (score !== otherScore) return score > otherScore;
    const [id, otherId] = [servers[server]!.id, servers[other]!.id];
    return id === otherId ? server < other : id > otherId;
  };
  const pick = (text: string): number => {
    const key = lowBytes(text);
    let best = 0;
    let bestScore = scoreOf(0, key);
    for (let server = 1; server < count; server++) {
      const score = scoreOf(server, key);
      if (isAhead(server, score, best, bestScore)) {
        best = server;
        bestScore = score;
      }
    }
    return best;
  };
  function* order(text: string): Generator<number, void, undefined> {
    const first = pick(text);
    yield first;
    const key = lowBytes(text);
    const scores = Float64Array.from(servers, (_, server) => scoreOf(server, key));
    const rest = [...scores.keys()].filter((server) => server !== first);
    yield* rest.sort((a, b) => isAhead(a, scores[a]!, b, scores[b]!) ? -1 : 1);
  }
  return { pick, order };
});

/** As pymemcache names a node: `host:port`, IPv6 without brackets; a unix socket by its path. */
export function pymemcacheId(address: Address): string {
  return address.kind === "unix" ? address.path : `${address.host}:${address.port}`;
}

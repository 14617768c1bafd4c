/** What all presets share: lists of no server and of one, and orders made complete. */
import { invalidRange } from "../errors.ts";
import type { Hashing, HashServer, Selector } from "./hashing.ts";

const ONLY: Selector = { pick: () => 0, order: () => [0] };

/**
 * Makes a hashing of `build`, which gets at least two servers. A single server has all keys, without
 * hashing.
 */
export function hashingOf(build: (servers: readonly HashServer[]) => Selector): Hashing {
  return (servers) => {
    if (servers.length === 0) throw invalidRange("a hashing needs at least one server");
    return servers.length === 1 ? ONLY : build(servers);
  };
}

/**
 * Each index once: those of `tries` as they come, then the others, around the list from the first try on.
 */
export function* distinct(
  tries: Iterable<number>,
  servers: number,
): Generator<number, void, undefined> {
  const seen = new Uint8Array(servers);
  let first: number | undefined;
  for (const index of tries) {
    first ??= index;
    if (seen[index] === 1) continue;
    seen[index] = 1;
    yield index;
  }
  for (const index of roundFrom(first ?? 0, servers)) {
    if (seen[index] === 0) yield index;
  }
}

/** Every index once, around the list from `first` on. */
export function* roundFrom(first: number, servers: number): Generator<number, void, undefined> {
  for (let i = 0; i < servers; i++) yield (first + i) % servers;
}

/**
 * libmemcached's default: one-at-a-time modulo the number of servers. Weights do not count.
 *
 * Source: libmemcached/hash.cc dispatch_host(), MEMCACHED_DISTRIBUTION_MODULA.
 */
import type { Hashing } from "./hashing.ts";
import { oneAtATime } from "./one_at_a_time.ts";
import { hashingOf, roundFrom } from "./selector.ts";

/** libmemcached's default distribution with its default hash. */
export const modula: Hashing = hashingOf(({ length }) => {
  const pick = (key: string): number => oneAtATime(key) % length;
  return { pick, order: (key) => roundFrom(pick(key), length) };
});

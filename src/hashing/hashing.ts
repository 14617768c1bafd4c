/** What a hashing is: a function from a list of servers to a selector. Pure; no preset is named here. */
import type { Address } from "../address.ts";

/** A server as a hashing sees it. */
export interface HashServer {
  /** Name on the ring. */
  readonly id: string;
  /** Share of the keys, 1 to 65535. */
  readonly weight: number;
}

/** Chooses servers for keys. It is made once for a list of servers. */
export interface Selector {
  /** Index of the key's server. */
  pick(key: string): number;
  /** All indexes in the order of preference, so `pick(key)` is the first. Lazy. */
  order(key: string): Iterable<number>;
}

/** Makes the selector for a list of servers. It is called once for each list. */
export type Hashing = (servers: readonly HashServer[]) => Selector;

/** The hashings that other clients use, by name. */
export type HashingName =
  | "ketama"
  | "python-memcached"
  | "python-memcached-1.59"
  | "modula"
  | "rendezvous"
  | "dalli"
  | "hashring"
  | "spymemcached"
  | "memjs";

/** A hashing, and how its client writes a server's address on the ring. */
export interface Preset {
  /** Its client's choice of server. */
  readonly hashing: Hashing;
  /** The id of a server that was given none. */
  readonly idOf: (address: Address) => string;
}

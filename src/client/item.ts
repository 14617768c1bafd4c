/** What getItem resolves to. A file of its own, since its declaration is published. */

/**
 * A value with its token, flags and ttl. `cas` is 0n on a server that keeps no tokens (`-C`). There cas,
 * compareAndDelete, update and the saves of sessions reject with UnsupportedError.
 */
export interface Item<T> {
  /** The value. */
  readonly value: T;
  /** Token for cas and compareAndDelete. */
  readonly cas: bigint;
  /** The flags it is stored with. */
  readonly flags: number;
  /** Seconds until it expires; Infinity: never; undefined in classic, unless `touch` has set it. */
  readonly ttl: number | undefined;
}

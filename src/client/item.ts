/** What getItem resolves to: in a file of its own, for its declaration is published. */

/**
 * A value with what is known of it. `cas` is 0n on a server that keeps none (`-C`): cas,
 * compareAndDelete, update and versioned saves then reject with UnsupportedError.
 */
export interface Item<T> {
  /** The value. */
  readonly value: T;
  /** Token for cas and compareAndDelete. */
  readonly cas: bigint;
  /** The flags it is stored with. */
  readonly flags: number;
  /** Seconds left, Infinity for ever, undefined in classic unless `touch` set it. */
  readonly ttl: number | undefined;
}

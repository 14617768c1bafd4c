/** What can be asked of a memcached server, apart from how a dialect writes it. */

/** The operations that travel on the pipelined connection. */
export type Operation =
  | "get"
  | "gets"
  | "gat"
  | "has"
  | "getMany"
  | "setMany"
  | "deleteMany"
  /** Classic: `getMany` with tokens. */
  | "getsMany"
  | "set"
  | "add"
  | "replace"
  | "append"
  | "prepend"
  | "cas"
  | "delete"
  | "touch"
  /** Sets a new ttl, then reads the item's token and flags, without its value. */
  | "refresh"
  | "increment"
  | "decrement"
  | "version"
  // A read that claims what is not there, or is due for renewal: see client/fetch.
  | "lease"
  // Marks an item as stale. Classic has no such mark, so there it is a plain delete.
  | "invalidate"
  // What a connection sends to undo what a read did to another client's lease: see leases.ts.
  | "token"
  | "rearm"
  | "restoreTtl";

/** The operations that store a value. */
export type StoreOperation = "set" | "add" | "replace" | "append" | "prepend" | "cas";

/** The `exptime` of a command that leaves the item's own as it is. */
export const KEEP_EXPTIME = -1;

/** A value in its stored form. */
export interface StoredItem {
  readonly value: Uint8Array | string;
  readonly flags: number;
}

/**
 * One command and how far its replies have come. All commands share one shape, so that the code that
 * handles them stays fast. Fields that an operation does not use keep their empty value.
 */
export interface Command {
  readonly operation: Operation;
  /** As it goes over the wire, checked. */
  readonly key: string;
  /** The keys of `getMany`, `setMany` and `deleteMany`, checked and distinct. */
  readonly keys: readonly string[] | null;
  /** What `setMany` stores, for each key. */
  readonly items: readonly StoredItem[] | null;
  /** What a store operation stores. */
  readonly value: Uint8Array | string;
  readonly flags: number;
  /** memcached's exptime, or KEEP_EXPTIME. */
  readonly exptime: number;
  /** Digits of the token that `cas` and a conditional `delete` compare, or "". */
  readonly cas: string;
  /** Digits of a counter's delta. */
  readonly delta: string;
  /** Meta, `lease`: the exptime of the stub that the server makes if nothing is there. */
  readonly vivify: number;
  /** Meta, `lease`: an item whose ttl is below this is won by its reader; 0: none is. */
  readonly recache: number;

  /** Meta: the opaque of the first reply. Written by the dialect. */
  opaque: number;
  /**
   * How many replies have been handled, or how many keys of a command for many. Written by the dialect.
   */
  answered: number;
  /**
   * Classic `getMany` and `getsMany`: the end of the keys on the line that is being answered. Written by
   * the dialect.
   */
  lineEnd: number;
}

/** The rules for storing an item over another one, and for counting numbers up and down. */
import { type Block, joinBlocks, textOf } from "./block.ts";
import { isChunked, Item } from "./item.ts";
import { parseUint64 } from "./numbers.ts";
import type { ServerState } from "./state.ts";

/** How a value is to be stored. */
export type StoreMode = "set" | "add" | "replace" | "append" | "prepend" | "cas";

/** How a store ended. */
export type StoreResult = "stored" | "exists" | "not_found" | "not_stored";

/** The result of a store. `cas` is the new version, or 0 if the item was not stored. */
export interface Stored {
  readonly result: StoreResult;
  readonly cas: number;
}

/**
 * Stores an item. `wanted` is the version that it may replace, 0 if none was given. With `mayBeStale` a
 * wanted version that is older than the item's is accepted, and the result is marked as stale (a meta set
 * with `C` and `I`).
 */
export function storeItem(
  { store, settings, counters: { totals } }: ServerState,
  item: Item,
  mode: StoreMode,
  wanted: bigint = 0n,
  mayBeStale = false,
): Stored {
  // In memcached without versions (-C) an item has no field for the wanted version either.
  const version = settings.cas ? wanted : 0n;
  const old = store.get(item.key);
  if (old === undefined) {
    if (mode === "cas") {
      totals.cas_misses++;
      return refused("not_found");
    }
    return mode === "set" || mode === "add" ? link(item) : refused("not_stored");
  }
  switch (mode) {
    case "add":
      store.touch(old);
      return refused("not_stored");
    case "set":
    case "replace":
      return link(item, old);
    case "append":
    case "prepend": {
      if (version !== 0n && !isVersion(old, version)) return refused("exists");
      const block = mode === "append"
        ? joinBlocks(old.block, item.block)
        : joinBlocks(item.block, old.block);
      if (store.refusal(item.key.length, old.flags, block.length) !== undefined) {
        return refused("not_stored");
      }
      return link(new Item(item.key, old.flags, old.exptime, block), old);
    }
    case "cas":
      if (version !== 0n && isVersion(old, version)) {
        totals.cas_hits++;
        return link(item, old);
      }
      if (mayBeStale && version !== 0n && version < old.cas) {
        totals.cas_hits++;
        item.exptime = old.exptime;
        item.stale = true;
        item.tokenSent = old.tokenSent;
        return link(item, old);
      }
      totals.cas_badval++;
      return refused("exists");
  }

  function link(stored: Item, replaced?: Item): Stored {
    store.link(stored, replaced);
    return { result: "stored", cas: stored.cas };
  }
}

function refused(result: StoreResult): Stored {
  return { result, cas: 0 };
}

/** Whether an item has this version. */
export function isVersion(item: Item, version: bigint): boolean {
  return BigInt(item.cas) === version;
}

/** How an increment or decrement ended. */
type DeltaResult =
  | { readonly kind: "ok"; readonly value: string; readonly item: Item }
  | { readonly kind: "non_numeric" | "not_found" | "cas_mismatch" | "out_of_memory" };

/** Makes a stored value of a number, filled up with spaces to `width`. */
export function numberBlock(value: string, width: number = value.length): Block {
  return value.padEnd(width) + "\r\n";
}

/**
 * Counts a stored number up or down. A `cas` of 0 accepts any version.
 *
 * It returns the item that was found. If the number has outgrown that item, another one is stored now, and
 * changing the expiry of the returned one has no effect. memcached does the same.
 */
export function addDelta(
  { store, counters: { totals } }: ServerState,
  key: string,
  increment: boolean,
  delta: bigint,
  cas: bigint = 0n,
): DeltaResult {
  const item = store.get(key);
  if (item === undefined) return { kind: "not_found" };
  if (item.block.length <= 2 || isChunked(store.sizeOf(item))) return { kind: "non_numeric" };
  if (cas !== 0n && !isVersion(item, cas)) return { kind: "cas_mismatch" };
  const old = parseUint64(textOf(item.block));
  if (old === undefined) return { kind: "non_numeric" };

  const sum = increment ? BigInt.asUintN(64, old + delta) : delta > old ? 0n : old - delta;
  totals[increment ? "incr_hits" : "decr_hits"]++;
  const value = sum.toString();
  const width = item.block.length - 2;
  if (value.length <= width && item.held === 0) {
    // The number is changed in place: it is filled up with spaces, and the item keeps all but its version.
    item.block = numberBlock(value, width);
    item.cas = store.nextCas();
    store.touch(item);
  } else {
    const grown = new Item(key, item.flags, item.exptime, numberBlock(value));
    if (store.refusal(key.length, item.flags, grown.block.length) !== undefined) {
      return { kind: "out_of_memory" };
    }
    store.link(grown, item);
    item.cas = grown.cas;
  }
  return { kind: "ok", value, item };
}

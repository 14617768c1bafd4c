/** What is stored under a key, and how much memory memcached would take for it. */

/** One stored value with its rules. */
export interface Item {
  /** One character per byte. */
  readonly key: string;
  /** The client's own 32 bits. */
  readonly flags: number;
  /** The value and the CRLF behind it, never written to once stored: replies point at it. */
  block: Uint8Array;
  /** In relative seconds; 0 is never. */
  exptime: number;
  /** The version; in an item that is not stored yet, the version that the request asked for. */
  cas: bigint;
  /** Last access, in relative seconds. */
  time: number;
  /** Whether it was ever read. */
  fetched: boolean;
  /** Invalidated, but still to be had (meta `I`). */
  stale: boolean;
  /** Whether somebody was told to recache it (meta `W`). */
  tokenSent: boolean;
  /** The key came as base64 and is shown as base64. */
  binaryKey: boolean;
  /** Replies that point at it and were not sent yet. */
  held: number;
}

/** An item that nobody has stored yet. */
export function newItem(key: string, flags: number, exptime: number, block: Uint8Array): Item {
  return {
    key,
    flags,
    block,
    exptime,
    cas: 0n,
    time: 0,
    fetched: false,
    stale: false,
    tokenSent: false,
    binaryKey: false,
    held: 0,
  };
}

/** Fixed header, the key's NUL and the version, on a 64-bit machine. */
const OVERHEAD = 48 + 1 + 8;

/** Bytes that memcached takes for an item; flags of 0 take none. */
export function sizeOf(keyLength: number, flags: number, blockLength: number): number {
  return OVERHEAD + keyLength + (flags === 0 ? 0 : 4) + blockLength;
}

/** Bytes that memcached takes for this item. */
export function itemSize(item: Item): number {
  return sizeOf(item.key.length, item.flags, item.block.length);
}

const GROWTH = 1.25;
const SMALLEST_CHUNK = 96;
const LARGEST_CHUNK = 512 * 1024;

/** The chunk sizes of memcached's slab classes 1, 2, ...: `cls=` in a dump, and the groups of `stats items`. */
const CHUNKS: readonly number[] = chunkSizes();

function chunkSizes(): number[] {
  const sizes: number[] = [];
  let size = SMALLEST_CHUNK;
  while (size < LARGEST_CHUNK / GROWTH) {
    size = Math.ceil(size / 8) * 8;
    sizes.push(size);
    size = Math.floor(size * GROWTH);
  }
  return [...sizes, LARGEST_CHUNK];
}

/** The slab class that an item of this size belongs to. */
export function slabClass(size: number): number {
  const index = CHUNKS.findIndex((chunk) => size <= chunk);
  return index < 0 ? CHUNKS.length : index + 1;
}

/** An item above this size is kept in pieces, and memcached does no arithmetic on it. */
export function isChunked(item: Item): boolean {
  return itemSize(item) > LARGEST_CHUNK;
}

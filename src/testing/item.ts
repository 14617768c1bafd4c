/** The item that is stored under a key, and how much memory it takes here and in memcached. */
import type { Block } from "./block.ts";

const FETCHED = 1;
const STALE = 2;
const TOKEN_SENT = 4;
const BINARY_KEY = 8;

/** One stored value. There can be half a million items, so all their booleans share one number. */
export class Item {
  /** The key, one character per byte. */
  key: string;
  /** The client's flags, 32 bits. */
  readonly flags: number;
  /** The value and the CRLF after it. */
  block: Block;
  /** When the item expires, in relative seconds; 0 means never. */
  exptime: number;
  /** The version; 0 on a server that keeps no versions. */
  cas = 0;
  /** When the item was last used, in relative seconds. */
  time = 0;
  /** How many unsent replies refer to the item. */
  held = 0;
  /** The next item of its bucket in an {@linkcode ItemTable}. */
  chain: Item | undefined = undefined;
  /** The neighbours in a {@linkcode UseList}; the item itself while it is in no list. */
  older: Item = this;
  newer: Item = this;
  #marks = 0;

  constructor(key: string, flags: number, exptime: number, block: Block) {
    this.key = key;
    this.flags = flags;
    this.exptime = exptime;
    this.block = block;
  }

  /** Whether the item was ever read. */
  get fetched(): boolean {
    return (this.#marks & FETCHED) !== 0;
  }
  set fetched(value: boolean) {
    this.#mark(FETCHED, value);
  }

  /** Whether the item was invalidated, but can still be read (meta `I`). */
  get stale(): boolean {
    return (this.#marks & STALE) !== 0;
  }
  set stale(value: boolean) {
    this.#mark(STALE, value);
  }

  /** Whether a client was told to recache the item (meta `W`). */
  get tokenSent(): boolean {
    return (this.#marks & TOKEN_SENT) !== 0;
  }
  set tokenSent(value: boolean) {
    this.#mark(TOKEN_SENT, value);
  }

  /** Whether the key came as base64, so that it is shown as base64 too. */
  get binaryKey(): boolean {
    return (this.#marks & BINARY_KEY) !== 0;
  }
  set binaryKey(value: boolean) {
    this.#mark(BINARY_KEY, value);
  }

  #mark(mark: number, value: boolean): void {
    this.#marks = value ? this.#marks | mark : this.#marks & ~mark;
  }
}

/** Fixed header and the key's NUL, on a 64-bit machine. */
const OVERHEAD = 48 + 1;

/** What the version takes, on a server that keeps them. */
const CAS_SIZE = 8;

/** Bytes that memcached takes for an item; flags of 0 take none. */
export function sizeOf(
  keyLength: number,
  flags: number,
  blockLength: number,
  withCas: boolean,
): number {
  return OVERHEAD + (withCas ? CAS_SIZE : 0) + keyLength + (flags === 0 ? 0 : 4) + blockLength;
}

/**
 * How many bytes of the memory limit an item of this size uses. A small one uses more than in memcached,
 * because JavaScript needs about 165 bytes for it besides key and value. The formula counts five eighths of
 * that, so all items together take at most 1.6 times the limit. (From 181 bytes on there is no difference.)
 */
export function costOf(size: number): number {
  return Math.max(size, Math.ceil(68 + size * 0.625));
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

/** Returns the slab class that an item of this size belongs to. */
export function slabClass(size: number): number {
  const index = CHUNKS.findIndex((chunk) => size <= chunk);
  return index < 0 ? CHUNKS.length : index + 1;
}

/** Whether memcached keeps an item of this size in pieces, and so refuses arithmetic on it. */
export function isChunked(size: number): boolean {
  return size > LARGEST_CHUNK;
}

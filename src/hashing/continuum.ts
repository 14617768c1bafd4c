/**
 * A ring of points, each owned by a server, which ketama and its relatives share. Their differences
 * (names, number of points, hash of a key) are in their own files.
 */

/**
 * A point is sorted as one number, value * 2^21 + rank: that is exact in a double, and the sort is
 * native.
 */
const RANKS = 2 ** 21;

/** A point's value and the server that owns it. */
type AddPoint = (value: number, server: number) => void;

/** Which of two servers with the same point owns it. */
export type Ties = "first" | "last";

/** A sorted ring of 32-bit points. */
export class Continuum {
  readonly #servers: number;
  readonly #values: Uint32Array;
  readonly #owners: Uint32Array;
  /**
   * Where the points of each range of hashes begin. A range is the hashes with the same top bits, and
   * most searches end in it at once.
   */
  readonly #starts: Uint32Array;
  readonly #shift: number;
  /** How many servers own a point. A server whose share is too small owns none. */
  readonly #owning: number;

  /**
   * Asks `addPoints` for the points of `servers` servers. A point that two servers share belongs to
   * the first of them, or to the last.
   */
  constructor(servers: number, addPoints: (add: AddPoint) => void, ties: Ties = "first") {
    const last = servers - 1;
    const packed: number[] = [];
    addPoints((value, server) => {
      packed.push(value * RANKS + (ties === "first" ? server : last - server));
    });
    const sorted = new Float64Array(packed).sort();
    const count = sorted.length;
    this.#servers = servers;
    this.#values = new Uint32Array(count);
    this.#owners = new Uint32Array(count);
    sorted.forEach((point, i) => {
      const rank = point % RANKS;
      this.#values[i] = Math.floor(point / RANKS);
      this.#owners[i] = ties === "first" ? rank : last - rank;
    });
    this.#owning = new Set(this.#owners).size;
    this.#shift = Math.max(16, Math.clz32(count));
    this.#starts = startsOf(this.#values, this.#shift);
  }

  /** The server that owns the point at a position. */
  ownerOf(position: number): number {
    return this.#owners[position]!;
  }

  /** Position of the first point at or after the hash; past the last point, the first. */
  atOrAfter(hash: number): number {
    const position = this.#lowerBound(hash);
    return position === this.#values.length ? 0 : position;
  }

  /** Position of the last point at or before the hash; before the first point, the last. */
  atOrBefore(hash: number): number {
    const count = this.#values.length;
    const after = hash === 0xffffffff ? count : this.#lowerBound(hash + 1);
    return (after === 0 ? count : after) - 1;
  }

  /** Distinct servers around the ring from a position on. */
  *walk(position: number): Generator<number, void, undefined> {
    const count = this.#owners.length;
    const seen = new Uint8Array(this.#servers);
    let unseen = this.#owning;
    for (let i = 0; unseen > 0; i++) {
      const owner = this.#owners[(position + i) % count]!;
      if (seen[owner] === 1) continue;
      seen[owner] = 1;
      unseen--;
      yield owner;
    }
  }

  #lowerBound(hash: number): number {
    const values = this.#values;
    const range = hash >>> this.#shift;
    let low = this.#starts[range]!;
    let high = this.#starts[range + 1]!;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (values[middle]! < hash) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * For each range of hashes with the same bits above `shift`: the first point at or after its beginning.
 */
function startsOf(values: Uint32Array, shift: number): Uint32Array {
  const ranges = 2 ** (32 - shift);
  const starts = new Uint32Array(ranges + 1);
  let position = 0;
  for (let range = 0; range < ranges; range++) {
    while (position < values.length && values[position]! >>> shift < range) position++;
    starts[range] = position;
  }
  starts[ranges] = values.length;
  return starts;
}

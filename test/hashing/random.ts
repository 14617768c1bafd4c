/** Random cases that can be repeated: everything comes from a seed, which a failing test prints. */

/** Random numbers from a seed (mulberry32). */
export class Random {
  /** The seed, which gives the same numbers again. */
  readonly seed: number;
  #state: number;

  constructor(seed: number = Math.floor(Math.random() * 2 ** 32)) {
    this.seed = seed;
    this.#state = seed;
  }

  /** Returns a whole number from `low` to `high`, both included. */
  integer(low: number, high: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return low + Math.floor(((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32 * (high - low + 1));
  }

  /** Returns one of the choices. */
  one<T>(choices: readonly T[]): T {
    return choices[this.integer(0, choices.length - 1)] as T;
  }

  /** Makes a list of `count` elements, one by one. */
  many<T>(count: number, make: (index: number) => T): T[] {
    return Array.from({ length: count }, (_, index) => make(index));
  }

  /** Makes a legal key: usually ASCII of 1 to 60 characters, sometimes up to 250 bytes or in other scripts. */
  key(): string {
    const kind = this.integer(1, 10);
    if (kind === 10) return this.#text("aé€ß日本😀\u{10ffff}\uffee", this.integer(1, 60));
    return this.#text(PRINTABLE, kind === 9 ? this.integer(50, 250) : this.integer(1, 60));
  }

  #text(alphabet: string, length: number): string {
    const characters = [...alphabet];
    return this.many(length, () => this.one(characters)).join("");
  }
}

const PRINTABLE = String.fromCharCode(...Array.from({ length: 94 }, (_, i) => 33 + i));

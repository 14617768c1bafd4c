/** Figures and letters that reading and writing share: what is written under them can be read. */

/** Objects in one another, if not told otherwise. */
export const MAX_DEPTH = 1000;

/** The flags of a RegExp by bit; `l` is an experiment of V8's and refused. */
export const REGEXP_FLAGS = "gimyusldv";

/** Bytes that the resizable buffers of a value may grow to, together: 9 bytes could claim 4 GB. */
export const MAX_RESIZABLE: number = 16 * 1024 * 1024;

/** Each takes pages of address space, and 1.3 (Node) to 2.7 us (Deno) to make. */
const LEAST_RESIZABLE = 16_384;

/**
 * Characters of the regular expressions of a value, together, and escapes such as `\p{L}` in them.
 * V8 parses a pattern when it is made: 2048 characters of `[^\W]` with flags `iv` take 17 ms (Node 20),
 * one `\p{RGI_Emoji}` takes up to 1.7 ms, 1 MB of `\p{L}` takes 37 s.
 */
export const MAX_PATTERNS = 2048;
export const MAX_PROPERTY_ESCAPES = 10;

/** Holes that arrays may have as slots in memory, together: 7 bytes could claim 8 KB, a thousand times. */
const MAX_HOLES = 16_384;

/**
 * Objects that take far more memory than bytes, Maps, buffers and such: so many, and one more for
 * each 16 bytes of the value. 1 MB of empty buffers, 2 bytes each, would take 210 MB and 0.3 s.
 */
const MAX_HEAVY = 32_768;
const BYTES_PER_HEAVY = 16;

/** The share of an error, which takes Deno 4 us to make, and of a RegExp, which takes Bun 800 bytes. */
export const COSTLY_WEIGHT = 8;

/** What one value may still claim. */
export class Budget {
  #resizable = MAX_RESIZABLE;
  #characters = MAX_PATTERNS;
  #escapes = MAX_PROPERTY_ESCAPES;
  #holes = MAX_HOLES;
  #heavy = 0;

  /** Whether a value of `bytes` may have an object of this weight besides those that it has. */
  takeHeavy(weight: number, bytes: number): boolean {
    this.#heavy += weight;
    return this.#heavy <= MAX_HEAVY + bytes / BYTES_PER_HEAVY;
  }

  /** Whether there may be a resizable buffer of up to `bytes`. */
  takeResizable(bytes: number): boolean {
    this.#resizable -= Math.max(bytes, LEAST_RESIZABLE);
    return this.#resizable >= 0;
  }

  /** Whether there may be a regular expression of this source. */
  takePattern(source: string): boolean {
    this.#characters -= source.length;
    if (this.#characters < 0) return false;
    this.#escapes -= source.match(/\\p\{/gi)?.length ?? 0;
    return this.#escapes >= 0;
  }

  /** Whether there may be as many slots for holes. */
  takeHoles(count: number): boolean {
    if (count > this.#holes) return false;
    this.#holes -= count;
    return true;
  }
}

/** The limits that the encoder and the decoder share, so that whatever is written can be read. */

/** How deep objects may be nested by default. */
export const MAX_DEPTH = 1000;

/** The flags of a RegExp, by bit. `l` is a V8 experiment and is refused. */
export const REGEXP_FLAGS = "gimyusldv";

/** How many bytes all resizable buffers of a value may grow to together. Without it 9 bytes could claim 4 GB. */
export const MAX_RESIZABLE: number = 16 * 1024 * 1024;

/** The least that a resizable buffer counts: it takes pages of address space and 1.3 (Node) to 2.7 us (Deno). */
const LEAST_RESIZABLE = 16_384;

/**
 * How many characters all regular expressions of a value may have together, and how many escapes such as
 * `\p{L}`. V8 parses a pattern when the RegExp is made: 2048 characters of `[^\W]` with flags `iv` take 17 ms
 * (Node 20), one `\p{RGI_Emoji}` takes up to 1.7 ms, 1 MB of `\p{L}` takes 37 s.
 */
export const MAX_PATTERNS = 2048;
export const MAX_PROPERTY_ESCAPES = 10;

/**
 * How many slots for holes all arrays of a value may have in memory together. Without it 7 bytes could claim
 * 8 KB, a thousand times over.
 */
const MAX_HOLES = 16_384;

/**
 * How many heavy objects a value may have: Maps, buffers and others that take far more memory than the bytes
 * that encode them. It may have one more for each 16 bytes of the value. Without the limit 1 MB of empty
 * buffers, 2 bytes each, would take 210 MB and 0.3 s.
 */
const MAX_HEAVY = 32_768;
const BYTES_PER_HEAVY = 16;

/** How many heavy objects an error or a RegExp counts as: Deno needs 4 us to make one, Bun 800 bytes. */
export const COSTLY_WEIGHT = 8;

/** What one value may still use of the limits. */
export class Budget {
  #resizable = MAX_RESIZABLE;
  #characters = MAX_PATTERNS;
  #escapes = MAX_PROPERTY_ESCAPES;
  #holes = MAX_HOLES;
  #heavy = 0;

  /** Whether a value of this many bytes may have another object of this weight. */
  takeHeavy(weight: number, bytes: number): boolean {
    this.#heavy += weight;
    return this.#heavy <= MAX_HEAVY + bytes / BYTES_PER_HEAVY;
  }

  /** Whether the value may have a resizable buffer that grows to `bytes`. */
  takeResizable(bytes: number): boolean {
    this.#resizable -= Math.max(bytes, LEAST_RESIZABLE);
    return this.#resizable >= 0;
  }

  /** Whether the value may have a regular expression of this source. */
  takePattern(source: string): boolean {
    this.#characters -= source.length;
    if (this.#characters < 0) return false;
    this.#escapes -= source.match(/\\p\{/gi)?.length ?? 0;
    return this.#escapes >= 0;
  }

  /** Whether the value may have this many more slots for holes. */
  takeHoles(count: number): boolean {
    if (count > this.#holes) return false;
    this.#holes -= count;
    return true;
  }
}

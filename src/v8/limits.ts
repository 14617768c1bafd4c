/** Figures and letters that reading and writing share. */

/** Objects in one another, if not told otherwise. */
export const MAX_DEPTH = 1000;

/** Bytes that the resizable buffers of one value may grow to, together: 9 bytes could claim 4 GB. */
export const MAX_RESIZABLE: number = 16 * 1024 * 1024;

/** The flags of a RegExp by bit; `l` is an experiment of V8's and refused. */
export const REGEXP_FLAGS = "gimyusldv";

/**
 * The names of the two dialects. A file of its own for types that are published: they must not need
 * @types/node, and dialect.ts names a Buffer.
 */

/** The names of the dialects. */
export type DialectName = "classic" | "meta";

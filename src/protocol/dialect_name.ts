/** The two dialects by name, for types that are published: dialect.ts names a Buffer, and they must not need @types/node. */

/** The names of the dialects. */
export type DialectName = "classic" | "meta";

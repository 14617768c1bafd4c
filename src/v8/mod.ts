/**
 * V8's value format in pure TypeScript: the same bytes in Node, Deno and Bun, whatever each calls
 * `node:v8`. Keeps Map, Set, Date, RegExp, Error, bigint, typed arrays, `undefined`, cycles and shared
 * references. Writes version 15, reads 13 to 16.
 *
 * @example
 * ```ts
 * import { deserialize, serialize } from "@memwire/memwire/v8";
 *
 * const session = { user: 7, seen: new Date(0), roles: new Set(["admin"]) };
 * const copy = deserialize(serialize(session)) as typeof session;
 * console.log(copy.roles.has("admin")); // true
 * ```
 *
 * @module
 */
import { decode, encodeOwned } from "./codec.ts";

/** What {@linkcode serialize} may be told. */
export interface SerializeOptions {
  /** How many objects may be in one another, 1 to 100,000. Default 1000, which {@linkcode deserialize} reads. */
  maxDepth?: number;
  /** Whether properties of arrays other than their elements are kept. Default true; false is faster. */
  arrayProps?: boolean;
  /** Whether the stacks of errors are written, which show paths of files. Default false. */
  errorStacks?: boolean;
}

/** What {@linkcode deserialize} may be told. */
export interface DeserializeOptions {
  /** How many objects may be in one another, 1 to 100,000. Default 1000. */
  maxDepth?: number;
}

/**
 * Writes a value as bytes that {@linkcode deserialize} reads, and so does `node:v8` in Node and Deno.
 *
 * Class instances become plain objects of their own enumerable properties, getters run, symbol keys
 * are left out, and the properties of a Map, Set, Date, RegExp or Error besides what makes it are
 * lost. A Proxy of a plain object or an array is stored as what it shows.
 *
 * @param value Anything that is not, and does not hold, a function, symbol, Promise, WeakMap, WeakSet,
 * WeakRef, generator, iterator, `arguments`, SharedArrayBuffer, detached ArrayBuffer or Intl object.
 * @param options Limits and leanings.
 * @returns The bytes, for the caller to keep.
 * @throws {SerializationError} Something cannot be stored; `path` says where it is.
 * @throws {RangeError} `maxDepth` is out of range.
 *
 * @example
 * ```ts
 * import { serialize } from "@memwire/memwire/v8";
 *
 * console.log(serialize({ id: 7 })); // ff 0f 6f 22 02 69 64 49 0e 7b 01
 * ```
 */
export function serialize(value: unknown, options?: SerializeOptions): Uint8Array {
  return encodeOwned(value, options);
}

/**
 * Reads bytes that {@linkcode serialize} wrote, or `node:v8` in Node or Deno. The value shares no memory with
 * the bytes. However hostile they are, time and memory stay in proportion to their number.
 *
 * @param bytes One whole value.
 * @param options Limits.
 * @returns The value.
 * @throws {CorruptValueError} The bytes are something else, cut short, or too deeply nested.
 * @throws {RangeError} `maxDepth` is out of range.
 *
 * @example
 * ```ts
 * import { deserialize, serialize } from "@memwire/memwire/v8";
 *
 * const bytes = serialize(new Map([["a", 1n]]));
 * console.log(deserialize(bytes)); // Map(1) { "a" => 1n }
 * ```
 */
export function deserialize(bytes: Uint8Array, options?: DeserializeOptions): unknown {
  return decode(bytes, 0, bytes.length, options);
}

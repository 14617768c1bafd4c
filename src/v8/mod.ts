/**
 * V8's value format in pure TypeScript: the same bytes in Node, Deno and Bun, whatever each calls
 * `node:v8`. Keeps Map, Set, Date, RegExp, Error, bigint, typed arrays, `undefined`, cycles and shared
 * references. Writes version 15, reads 13 to 16.
 *
 * @example
 * ```ts
 * import { deserialize, serialize } from "memwire/v8";
 *
 * const session = { user: 7, seen: new Date(0), roles: new Set(["admin"]) };
 * const copy = deserialize(serialize(session)) as typeof session;
 * console.log(copy.roles.has("admin")); // true
 * ```
 *
 * @module
 */
import { invalidType } from "../errors.ts";
import { decode, encodeOwned } from "./codec.ts";
import { lookAgain } from "./prototypes.ts";
import type { DeserializeOptions, SerializeOptions } from "./options.ts";

export type { DeserializeOptions, SerializeOptions };

/**
 * Writes a value as bytes that {@linkcode deserialize} reads, and so does `node:v8` in Node and Deno.
 *
 * Class instances become plain objects of their own enumerable properties, getters run, symbol keys
 * are left out, and the properties of a Map, Set, Date, RegExp or Error besides what makes it are
 * lost. A Proxy of a plain object or an array is stored as what it shows, a URL, Headers and their
 * like as the empty object that they seem to be.
 *
 * Limits, so that stored bytes cannot hurt who reads them: resizable buffers may grow to 16 MiB together,
 * regular expressions have 2048 characters and 10 escapes such as `\p{L}` together, and Maps, Sets,
 * buffers, views and boxed values number at most 32,768 plus one for each 16 bytes of the value (an error
 * or regular expression counts as eight).
 *
 * @param value Anything that is not, and does not hold, a function, symbol, Promise, WeakMap, WeakSet,
 * WeakRef, generator, iterator, `arguments`, SharedArrayBuffer, detached ArrayBuffer or Intl object.
 * @param options Limits and leanings.
 * @returns The bytes, for the caller to keep: over an `ArrayBuffer` of their own.
 * @throws {SerializationError} Something cannot be stored; `path` says where it is.
 * @throws {RangeError} `maxDepth` is out of range.
 *
 * @example
 * ```ts
 * import { serialize } from "memwire/v8";
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
 * @throws {TypeError} `bytes` are none.
 *
 * @example
 * ```ts
 * import { deserialize, serialize } from "memwire/v8";
 *
 * const bytes = serialize(new Map([["a", 1n]]));
 * console.log(deserialize(bytes)); // Map(1) { "a" => 1n }
 * ```
 */
export function deserialize(bytes: Uint8Array, options?: DeserializeOptions): unknown {
  if (!ArrayBuffer.isView(bytes)) throw invalidType("bytes must be a Uint8Array");
  lookAgain();
  return decode(bytes, 0, bytes.byteLength, options);
}

/**
 * V8's value format in pure TypeScript. It gives the same bytes in Node, Deno and Bun, whose own `node:v8`
 * modules differ. It keeps Map, Set, Date, RegExp, Error, bigint, typed arrays, `undefined`, cycles and
 * shared references. It writes version 15 of the format and reads 13 to 16.
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
 * Encodes a value as bytes that {@linkcode deserialize} can read, and `node:v8` in Node and Deno too.
 *
 * A class instance becomes a plain object of its own enumerable properties. Getters run, and symbol keys
 * are left out. Extra properties that were added to a Map, Set, Date, RegExp or Error are lost. A Proxy of
 * a plain object or an array is stored as what it shows. A URL, Headers and similar objects have no own
 * properties, so they are stored as empty objects.
 *
 * Limits keep stored bytes from hurting whoever reads them: all resizable buffers of a value may grow to
 * 16 MiB together; its regular expressions may have 2048 characters and 10 escapes such as `\p{L}`
 * together; and it may have 32,768 Maps, Sets, buffers, views and boxed values, plus one for each 16 bytes
 * of the value (an error or a regular expression counts as eight).
 *
 * @param value Anything that is not, and does not hold, a function, symbol, Promise, WeakMap, WeakSet,
 * WeakRef, generator, iterator, `arguments`, SharedArrayBuffer, detached ArrayBuffer or Intl object.
 * @param options The depth limit, and what is left out of the value.
 * @returns The bytes, over an `ArrayBuffer` of their own, which the caller may keep.
 * @throws {SerializationError} Something in the value cannot be stored; `path` says where it is.
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
 * Decodes bytes that {@linkcode serialize}, or `node:v8` in Node or Deno, has encoded. The value shares no
 * memory with the bytes. However hostile the bytes are, time and memory stay in proportion to their number.
 *
 * @param bytes The bytes of one whole value.
 * @param options The depth limit.
 * @returns The value.
 * @throws {CorruptValueError} The bytes are not a value, are cut short, or are nested too deeply.
 * @throws {RangeError} `maxDepth` is out of range.
 * @throws {TypeError} `bytes` is not a Uint8Array.
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

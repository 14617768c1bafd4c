/** The tables of values and flags by name, and the codec that a client's options choose. */
import { invalidType, UnsupportedError } from "../../errors.ts";
import { oneOf } from "../../checks/values.ts";
import type { ResolvedOptions } from "../options.ts";
import type { ClientCodec } from "./codec.ts";
import { dalli } from "./dalli.ts";
import { memcacheClient } from "./memcache_client.ts";
import { memcached } from "./memcached.ts";
import { memjs } from "./memjs.ts";
import { MemwireCodec } from "./memwire.ts";
import { php } from "./php.ts";
import { pythonMemcached } from "./python_memcached.ts";
import { serializerCodec } from "./serializer.ts";
import { spymemcached } from "./spymemcached.ts";
import { type Table, TableCodec } from "./table.ts";

const TABLES: ReadonlyMap<string, Table> = new Map([
  ["python-memcached", pythonMemcached],
  ["php", php],
  ["dalli", dalli],
  ["spymemcached", spymemcached],
  ["memjs", memjs],
  ["memcached", memcached],
  ["memcache-client", memcacheClient],
]);

type Options = Pick<
  ResolvedOptions,
  "values" | "serializer" | "compressAbove" | "maxValueBytes"
>;

/** The codec of a client. Throws if its options cannot be combined. */
export function codecFor(options: Options): ClientCodec {
  const { values, serializer, compressAbove } = options;
  if (serializer !== undefined) {
    const clash = values !== undefined ? "values" : "compressAbove";
    if (values !== undefined || compressAbove !== undefined) {
      throw invalidType(`${clash} cannot be combined with serializer, which replaces it`);
    }
    return serializerCodec(serializer);
  }
  if (values === undefined || values === "memwire") return new MemwireCodec(options);
  const table = TABLES.get(oneOf(values, ["memwire", ...TABLES.keys()], "values"))!;
  if (compressAbove !== undefined) {
    const method = table.compression?.method;
    if (method === undefined) {
      throw invalidType(
        `compressAbove: ${values} compresses nothing, and could not read compressed values`,
      );
    }
    if (method.missing) {
      throw new UnsupportedError(
        `compressAbove: ${values} needs ${method.name}, which this runtime lacks`,
      );
    }
  }
  return new TableCodec(table, options);
}

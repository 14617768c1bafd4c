/** Sends values from another client to memwire and back, and counts those that arrive changed. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { TestContext } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { Memcached, type MemcachedOptions } from "../../mod.ts";
import type { MemcachedServer } from "../support/memcached.ts";
import type { Other, OtherClient } from "./other_client.ts";

/** One kind of value. */
export interface Kind {
  readonly name: string;
  readonly values: readonly unknown[];
  /** The value in the form that the other client gets. */
  readonly other: (value: unknown) => Other;
  /** What memwire reads, if that differs from the value: memjs knows only bytes. */
  readonly ours?: (value: unknown) => unknown;
  /** What the other client should read. Default: the form that it got. */
  readonly told?: (value: unknown) => Other;
  /** Set for kinds that can go in one direction only. */
  readonly oneWay?: "to" | "from";
}

/** The other client, with its settings. */
export interface Way {
  readonly client: OtherClient;
  readonly mode: string;
  readonly options: MemcachedOptions;
}

/** Runs all kinds in both directions. */
export async function bothWays(
  t: TestContext,
  server: MemcachedServer,
  { client, mode, options }: Way,
  kinds: readonly Kind[],
): Promise<void> {
  await using ours = new Memcached(server.address, { timeout: 10_000, ...options });
  let from = 0;
  let to = 0;
  for (const { name, values, other, ours: ourForm = same, told = other, oneWay } of kinds) {
    for (const [i, value] of values.entries()) {
      const key = `${mode}:${name}:${i}`.replaceAll(" ", "-");
      const what = `${mode}, ${name} ${i}: ${JSON.stringify(value, plain)?.slice(0, 200)}`;
      if (oneWay !== "to") {
        await client.set(mode, key, other(value));
        const found = await ours.get(key);
        assert.ok(isDeepStrictEqual(found, ourForm(value)), `from ${what}`);
        from++;
      }
      if (oneWay !== "from") {
        await ours.set(key, value);
        const [type, bytes] = await client.get(mode, key);
        const [expected, data] = told(value);
        assert.equal(type, expected, `to ${what}`);
        assert.ok(sameData(type, bytes, data), `to ${what}: ${bytes.toString().slice(0, 200)}`);
        to++;
      }
    }
  }
  t.diagnostic(`${mode}: ${from} values read here, ${to} read there, 0 wrong`);
}

/** Whether two values are the same. Numbers and JSON may be written differently. */
function sameData(type: string, bytes: Buffer, data: string | Uint8Array): boolean {
  if (type === "double" || type === "number") {
    return Object.is(Number(bytes.toString()), Number(data));
  }
  if (type === "json") {
    return isDeepStrictEqual(JSON.parse(bytes.toString()), JSON.parse(String(data)));
  }
  return bytes.equals(Buffer.from(data));
}

function same(value: unknown): unknown {
  return value;
}

function plain(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

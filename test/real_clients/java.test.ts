// Java's spymemcached: values in both directions, compressed by gzip, and values that are refused.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { CorruptValueError, Memcached } from "../../mod.ts";
import { type MemcachedServer, startMemcached } from "../support/memcached.ts";
import { SPYMEMCACHED } from "../support/programs.ts";
import { bothWays, type Kind } from "./both_ways.ts";
import { OtherClient } from "./other_client.ts";
import { Samples } from "./samples.ts";

const samples = new Samples();
const isInt = (value: unknown): boolean => value === (Number(value) | 0);
const integers = samples.integers(120);
const as = (type: string) => (value: unknown): readonly [string, string] => [type, String(value)];

const KINDS: readonly Kind[] = [
  { name: "text", values: [...samples.texts(150), samples.large()], other: as("text") },
  {
    name: "bytes",
    values: [...samples.bytes(60), new Uint8Array(20_000)],
    other: (value) => ["bytes", value as Uint8Array],
  },
  { name: "ints", values: integers.filter(isInt), other: as("int") },
  { name: "longs", values: integers.filter((value) => !isInt(value)), other: as("long") },
  { name: "short longs", values: [0, 1, -1, 300], other: as("long"), oneWay: "from" },
  {
    name: "wide longs",
    values: [2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n, -(2n ** 55n)],
    other: as("long"),
  },
  {
    name: "doubles",
    values: [...samples.doubles(100), NaN, Infinity, -Infinity, -0],
    other: (value) => ["double", Object.is(value, -0) ? "-0" : String(value)],
  },
  { name: "floats", values: [0, 1.5, -0.25, 2 ** 100], other: as("float"), oneWay: "from" },
  { name: "bytes of Java", values: [0, 1, -1, 127, -128], other: as("byte"), oneWay: "from" },
  { name: "booleans", values: [true, false], other: as("bool") },
  {
    name: "dates",
    values: [new Date(0), new Date(1.7e12), new Date(-1), new Date(8.64e15)],
    other: (value) => ["date", String((value as Date).getTime())],
  },
];

describe(`Java, seed ${samples.random.seed}`, () => {
  let server: MemcachedServer;
  let client: OtherClient;
  before(async () => {
    server = await startMemcached();
    const args = [server.host, String(server.port)];
    client = new OtherClient("java", ["-cp", SPYMEMCACHED], "JavaClient.java", args);
  });
  after(async () => {
    client.close();
    await server.stop();
  });

  for (const [mode, compressAbove] of [["plain", undefined], ["gzip", 100]] as const) {
    test(mode, async (t) => {
      const options = { values: "spymemcached", compressAbove } as const;
      await bothWays(t, server, { client, mode, options }, KINDS);
    });
  }

  test("values above 16 KiB, which spymemcached compresses by itself, are read", async () => {
    await using ours = new Memcached(server.address, { values: "spymemcached", timeout: 10_000 });
    await client.set("plain", "long", ["text", "x".repeat(20_000)]);
    assert.equal((await ours.getItem("long"))?.flags, 2);
    assert.equal(await ours.get("long"), "x".repeat(20_000));
  });

  test("objects are refused, and the error names them", async () => {
    await using ours = new Memcached(server.address, { values: "spymemcached", timeout: 10_000 });
    await client.set("plain", "list", ["list", "member"]);
    await assert.rejects(ours.get("list"), (error) => {
      assert.ok(error instanceof CorruptValueError, String(error));
      assert.match(error.message, /Java object/);
      return true;
    });
  });
});

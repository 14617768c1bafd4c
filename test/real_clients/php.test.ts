// PHP's extension memcached: values in both directions, compressed by FastLZ and zlib, and values that are refused.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { CorruptValueError, Memcached } from "../../mod.ts";
import { type MemcachedServer, startMemcached } from "../support/memcached.ts";
import { bothWays, type Kind } from "./both_ways.ts";
import { OtherClient } from "./other_client.ts";
import { Samples } from "./samples.ts";

const samples = new Samples();
type Typed = readonly [string, string];
const string = (value: unknown): Typed => ["string", String(value)];

const KINDS: readonly Kind[] = [
  {
    name: "text",
    values: [...samples.texts(150), samples.large()],
    other: (value) => ["text", String(value)],
    told: string,
  },
  {
    name: "bytes",
    values: samples.bytes(60),
    other: (value) => ["bytes", value as Uint8Array],
    told: (value) => ["string", value as Uint8Array],
  },
  {
    name: "integers",
    values: samples.integers(80),
    other: (value) => ["int", String(value)],
  },
  {
    name: "wide integers",
    values: [2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n],
    other: (value) => ["int", String(value)],
  },
  {
    name: "doubles",
    values: [...samples.doubles(80), NaN, Infinity, -Infinity, -0],
    other: (value) => ["double", Object.is(value, -0) ? "-0" : String(value)],
  },
  { name: "booleans", values: [true, false], other: (value) => ["bool", String(value)] },
  { name: "null", values: [null], other: () => ["null", ""] },
  {
    name: "json",
    values: samples.structures(80),
    other: (value) => ["json", JSON.stringify(value)],
  },
];

describe(`PHP, seed ${samples.random.seed}`, () => {
  let server: MemcachedServer;
  let client: OtherClient;
  before(async () => {
    server = await startMemcached();
    client = new OtherClient("php", [], "php_client.php", [server.host, String(server.port)]);
  });
  after(async () => {
    client.close();
    await server.stop();
  });

  for (const mode of ["json", "json fastlz", "json zlib"]) {
    test(mode, async (t) => {
      const options = {
        values: "php",
        ...(mode === "json" ? {} : { compressAbove: 100 }),
      } as const;
      await bothWays(t, server, { client, mode, options }, KINDS);
    });
  }

  test("the values really were compressed, by FastLZ at both levels and by zlib", async () => {
    await using ours = new Memcached(server.address, { values: "php", timeout: 10_000 });
    for (const [mode, bit] of [["json fastlz", 64], ["json zlib", 32]] as const) {
      for (const length of [1000, 70_000]) {
        await client.set(mode, "z", ["text", "abcdefg".repeat(length)]);
        assert.equal((await ours.getItem("z"))?.flags, 16 | bit);
        assert.equal(await ours.get("z"), "abcdefg".repeat(length));
      }
    }
  });

  test("serialize(), igbinary and msgpack are refused and named in the error, even if compressed", async () => {
    await using ours = new Memcached(server.address, { values: "php", timeout: 10_000 });
    const list = JSON.stringify(Array(100).fill("member"));
    for (
      const [mode, words] of [
        ["php", /serialize\(\)/],
        ["php fastlz", /serialize\(\)/],
        ["igbinary", /igbinary/],
        ["igbinary zlib", /igbinary/],
        ["msgpack", /msgpack/],
      ] as const
    ) {
      await client.set(mode, "list", ["json", list]);
      await assert.rejects(ours.get("list"), (error) => {
        assert.ok(error instanceof CorruptValueError, String(error));
        assert.match(error.message, words);
        return true;
      });
    }
  });

  test("each client can increment the other's counters", async () => {
    await using ours = new Memcached(server.address, { values: "php", timeout: 10_000 });
    assert.equal(await ours.increment("n", 1, { initial: 41 }), 41n);
    assert.deepEqual((await client.get("json", "n")).map(String), ["int", "41"]);
    await client.set("json", "n", ["int", "100"]);
    assert.equal(await ours.decrement("n"), 99n);
    assert.equal(await ours.get("n"), 99);
    assert.deepEqual((await client.get("json", "n")).map(String), ["int", "99"]);
  });
});

// memjs, npm's memcached and memcache-client, from npm and in Node: values in both directions.
import { after, before, describe, test } from "node:test";
import { type MemcachedServer, startMemcached } from "../support/memcached.ts";
import { bothWays, type Kind } from "./both_ways.ts";
import { OtherClient } from "./other_client.ts";
import { Samples } from "./samples.ts";
import { Buffer } from "node:buffer";
import * as zlib from "node:zlib";

const samples = new Samples();
const asText = (value: unknown): readonly [string, string] => ["text", String(value)];
const asBytes = (value: unknown): readonly [string, Uint8Array] => ["bytes", value as Uint8Array];
const asNumber = (value: unknown): readonly [string, string] => ["number", String(value)];
const asJson = (value: unknown): readonly [string, string] => ["json", JSON.stringify(value)];
const utf8 = (value: unknown): Uint8Array => new Uint8Array(Buffer.from(String(value)));

const TEXT: Kind = { name: "text", values: samples.texts(120), other: asText };
const BYTES: Kind = { name: "bytes", values: samples.bytes(60), other: asBytes };
const INTEGERS: Kind = { name: "integers", values: samples.integers(80), other: asNumber };
const DOUBLES: Kind = { name: "doubles", values: samples.doubles(80), other: asNumber };
const JSONS: Kind = { name: "json", values: [...samples.structures(80), null], other: asJson };
const BOOLEANS: Kind = { name: "booleans", values: [true, false], other: asJson };

describe(`npm's clients, seed ${samples.random.seed}`, () => {
  let server: MemcachedServer;
  let client: OtherClient;
  before(async () => {
    server = await startMemcached();
    client = new OtherClient("node", [], "npm_clients.js", [server.address]);
  });
  after(async () => {
    client.close();
    await server.stop();
  });

  test("memjs", async (t) => {
    const way = { client, mode: "memjs", options: { values: "memjs" } } as const;
    const text = { ...TEXT, ours: utf8, told: (v: unknown) => ["bytes", utf8(v)] as const };
    await bothWays(t, server, way, [text, BYTES]);
  });

  test("memcached", async (t) => {
    const way = { client, mode: "memcached", options: { values: "memcached" } } as const;
    await bothWays(t, server, way, [TEXT, BYTES, INTEGERS, DOUBLES, JSONS, BOOLEANS]);
  });

  test("memcache-client", async (t) => {
    const way = {
      client,
      mode: "memcache-client",
      options: { values: "memcache-client" },
    } as const;
    await bothWays(t, server, way, [TEXT, BYTES, INTEGERS, DOUBLES, JSONS]);
  });

  // Node 20 has no zstd, so values that are compressed by it are refused there; test/values checks that.
  if ("zstdCompressSync" in zlib) {
    test("memcache-client, compressed by zstd", async (t) => {
      const options = { values: "memcache-client", compressAbove: 100 } as const;
      const way = { client, mode: "memcache-client zstd", options };
      await bothWays(t, server, way, [TEXT, BYTES, JSONS]);
    });
  }
});

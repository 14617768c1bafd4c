// Ruby's dalli: raw values and JSON in both directions, compressed by zlib, and Marshal refused. Debian's 3.0.6 has
// no string_fastpath yet: it reads text under flags 4 as it reads raw values, but never writes it (test/values has
// vectors).
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { after, before, describe, test } from "node:test";
import { CorruptValueError, Memcached } from "../../mod.ts";
import { type MemcachedServer, startMemcached } from "../support/memcached.ts";
import { bothWays, type Kind } from "./both_ways.ts";
import { OtherClient } from "./other_client.ts";
import { Samples } from "./samples.ts";

const samples = new Samples();
const json = (value: unknown): readonly [string, string] => ["json", JSON.stringify(value)];

const RAW: readonly Kind[] = [
  {
    name: "text",
    values: [...samples.texts(150), samples.large()],
    other: (value) => ["text", String(value)],
    // dalli writes this text without flags 4, so memwire reads bytes.
    ours: (value) => new Uint8Array(Buffer.from(String(value))),
    told: (value) => ["string", String(value)],
  },
  {
    name: "bytes",
    values: samples.bytes(60),
    other: (value) => ["bytes", value as Uint8Array],
    told: (value) => ["string", value as Uint8Array],
  },
];

const JSONS: readonly Kind[] = [
  { name: "structures", values: samples.structures(120), other: json },
  {
    name: "scalars",
    values: [true, false, ...samples.integers(60), 1.5, -0.25, 1e22],
    other: json,
  },
  {
    name: "text as JSON",
    values: samples.texts(60),
    other: (value) => ["text", String(value)],
    oneWay: "from",
  },
];

describe(`Ruby, seed ${samples.random.seed}`, () => {
  let server: MemcachedServer;
  let client: OtherClient;
  before(async () => {
    server = await startMemcached();
    client = new OtherClient("ruby", [], "ruby_client.rb", [server.address]);
  });
  after(async () => {
    client.close();
    await server.stop();
  });

  for (const compressAbove of [undefined, 100]) {
    test(`compressAbove ${compressAbove}`, async (t) => {
      const options = { values: "dalli", compressAbove } as const;
      await bothWays(t, server, { client, mode: "raw", options }, RAW);
      await bothWays(t, server, { client, mode: "json", options }, JSONS);
    });
  }

  test("Marshal is refused and named in the error, even if compressed", async () => {
    await using ours = new Memcached(server.address, { values: "dalli", timeout: 10_000 });
    for (const list of [["member"], Array(2000).fill("member")]) {
      await client.set("marshal", "list", ["json", JSON.stringify(list)]);
      await assert.rejects(ours.get("list"), (error) => {
        assert.ok(error instanceof CorruptValueError, String(error));
        assert.match(error.message, /Ruby object \(Marshal\)/);
        return true;
      });
    }
  });
});

/** The command `memwire where` says the same as a client's `serverFor`, for every preset. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type HashingName, Memcached, type ServerSpec } from "../../mod.ts";
import { presets } from "../../src/hashing/presets.ts";
import { parseCommandLine } from "../../src/testing/cli_options.ts";
import { orderOf, where } from "../../src/testing/where.ts";
import { MemcachedServer } from "../../src/testing/mod.ts";
import { until } from "../support/until.ts";
import { ended, memwire } from "./command.ts";

const LISTS: ReadonlyArray<string | readonly ServerSpec[]> = [
  "10.0.0.1",
  "10.0.0.1,10.0.0.2:11212 [::1]:11213",
  "unix:/a,unix:/b,c.example",
  [["10.0.0.1", 2], { host: "b.example", id: "b" }, { path: "/c", weight: 3 }, "10.0.0.4"],
];
const KEYS = Array.from({ length: 200 }, (_, i) => `k${i}:é`);

describe("memwire where", () => {
  for (const hashing of Object.keys(presets) as HashingName[]) {
    it(`${hashing}: the first server is the client's own, and each is named once`, async () => {
      for (const servers of LISTS) {
        const client = new Memcached(servers, { hashing });
        for (const key of KEYS) {
          const order = orderOf(key, servers, hashing);
          assert.deepEqual(order[0], client.serverFor(key));
          const ids = order.map(({ id }) => id);
          assert.equal(new Set(ids).size, ids.length);
        }
        await client.close();
      }
    });
  }

  it("the order is that of failover", { timeout: 60_000 }, async () => {
    const servers = await Promise.all([1, 2, 3].map(() => MemcachedServer.start()));
    const list = servers.map(({ address }) => address);
    for (const key of KEYS.slice(0, 5)) {
      const client = new Memcached(list, { failover: "rehash", timeout: 10_000 });
      for (const { address } of orderOf(key, list, "ketama")) {
        await until(() => client.set(key, address).then(() => true, () => false));
        const server = servers.find((one) => one.address === address)!;
        assert.ok(server.forget(key), `${address} has the key`);
        await server.refuse(true);
      }
      await client.close();
      await Promise.all(servers.map((server) => server.refuse(false)));
    }
    await Promise.all(servers.map((server) => server.stop()));
  });

  it("prints lines, or an object", () => {
    const options = { key: "cart:17", servers: "10.0.0.1,10.0.0.2,10.0.0.3", hashing: "ketama" };
    const order = orderOf("cart:17", options.servers, "ketama");
    assert.equal(
      where({ ...options, json: false }),
      order.map(({ address }, i) => `${i + 1}  ${address}\n`).join(""),
    );
    const told = JSON.parse(where({ ...options, json: true }));
    assert.deepEqual(told, { key: "cart:17", hashing: "ketama", server: order[0], order });
    const named = '[["10.0.0.1",2],{"host":"10.0.0.2","id":"b"}]';
    assert.match(
      where({ ...options, servers: named, json: false }),
      /10\.0\.0\.2:11211 {2}\(b on the ring\)\n/,
    );
  });

  it("is a command", { timeout: 60_000 }, async () => {
    const run = (...args: string[]): ReturnType<typeof ended> => ended(memwire("where", ...args));
    const servers = "10.0.0.1,10.0.0.2";
    const [first] = orderOf("-k", servers, "dalli");
    const good = await run("--servers", servers, "--hashing=dalli", "--json", "--", "-k");
    assert.deepEqual([good.code, good.err, JSON.parse(good.out).server], [0, "", first]);
    const wrong = await run("k", "--servers", "10.0.0.1,,", "--hashing", "dalli");
    assert.deepEqual([wrong.code, wrong.out], [2, ""]);
    assert.match(wrong.err, /^memwire: .*server/);
    const preset = await run("k", "--servers", servers, "--hashing", "perl");
    assert.match(preset.err, /hashing must be one of "ketama"/);
    const key = await run("a b", "--servers", servers);
    assert.equal(key.code, 2);
  });

  it("refuses command lines that make no sense, and shows the usage", () => {
    for (
      const args of [
        ["where"],
        ["where", "k"],
        ["where", "k", "l", "--servers", "a"],
        ["where", "--servers", "a"],
        ["where", "k", "--servers"],
        ["where", "k", "--servers", "a", "--hash", "x"],
      ]
    ) {
      assert.equal(parseCommandLine(args).kind, "mistake", args.join(" "));
    }
    assert.equal(parseCommandLine(["where", "--help"]).kind, "help");
    assert.deepEqual(parseCommandLine(["where", "k", "--servers=a"]), {
      kind: "where",
      options: { key: "k", servers: "a", hashing: "ketama", json: false },
    });
  });
});

// The constructor: what it accepts, what it refuses, and that it connects to no server.
import assert from "node:assert/strict";
import { channel } from "node:diagnostics_channel";
import { describe, test } from "node:test";
import { Memcached, type MemcachedOptions, type ServerRef, type ServerSpec } from "../../mod.ts";

/** Options of any kind, right or wrong. */
type Loose = { readonly [name in keyof MemcachedOptions]?: unknown };

function make(options: Loose, servers: string | readonly ServerSpec[] = "127.0.0.1"): Memcached {
  return new Memcached(servers, options as MemcachedOptions);
}

describe("the constructor", () => {
  test("takes every form of server, and localhost:11211 if there is none", async () => {
    const refOf = (servers?: string | readonly ServerSpec[]): ServerRef =>
      new Memcached(servers).serverFor("k");
    assert.equal(refOf().address, "localhost:11211");
    assert.equal(refOf("10.0.0.1").address, "10.0.0.1:11211");
    assert.equal(refOf(["[::1]:5"]).address, "[::1]:5");
    assert.equal(refOf([{ path: "/tmp/s" }]).address, "unix:/tmp/s");
    assert.deepEqual(refOf([{ host: "10.0.0.1", id: "one" }]), {
      id: "one",
      address: "10.0.0.1:11211",
    });
    assert.equal(refOf("memcacheds://me:secret@host:5").address, "host:5");
    const three = new Memcached("a,b,c");
    const found = new Set(Array.from({ length: 50 }, (_, i) => three.serverFor(`k${i}`).address));
    assert.deepEqual([...found].sort(), ["a:11211", "b:11211", "c:11211"]);
    await three.close();
  });

  test("refuses what is not a server", () => {
    for (const servers of ["", " ", "a;b", "host:0", [], ["a b"], [["a", 0]], null, 5]) {
      assert.throws(() => new Memcached(servers as string), { code: "ERR_INVALID_ARGUMENT" });
    }
  });

  test("accepts options at the edges of their ranges", () => {
    for (
      const options of [
        {},
        { timeout: 0.5, connectTimeout: 2 ** 31 - 1 },
        { maxValueBytes: 1, maxPending: 1, maxPendingBytes: 1 },
        { prefix: "p".repeat(249), protocol: "auto", failover: "rehash" },
        { tls: true, auth: { username: "u", password: "p" } },
        { tls: { rejectUnauthorized: false }, hashing: "python-memcached" },
        { timeout: undefined, tls: undefined, auth: undefined, serializer: undefined },
        { serializer: { serialize: (): void => {}, deserialize: (): void => {} } },
      ] satisfies Loose[]
    ) assert.ok(make(options) instanceof Memcached);
  });

  test("refuses wrong ones, by name", () => {
    const wrong: ReadonlyArray<
      readonly [options: Loose, kind: typeof TypeError | typeof RangeError]
    > = [
      [{ timeout: "1000" }, TypeError],
      [{ timeout: 0 }, RangeError],
      [{ timeout: NaN }, RangeError],
      [{ timeout: 2 ** 31 }, RangeError],
      [{ connectTimeout: -1 }, RangeError],
      [{ connectTimeout: 5n }, TypeError],
      [{ maxValueBytes: 0 }, RangeError],
      [{ maxValueBytes: 1.5 }, RangeError],
      [{ maxPending: "many" }, TypeError],
      [{ maxPending: Infinity }, RangeError],
      [{ maxPendingBytes: -5 }, RangeError],
      [{ protocol: "binary" }, TypeError],
      [{ protocol: 5 }, TypeError],
      [{ failover: true }, TypeError],
      [{ hashing: "md5" }, TypeError],
      [{ hashing: "toString" }, TypeError],
      [{ prefix: 5 }, TypeError],
      [{ prefix: "a b" }, TypeError],
      [{ prefix: "p".repeat(250) }, TypeError],
      [{ tls: "yes" }, TypeError],
      [{ tls: null }, TypeError],
      [{ auth: "user:password" }, TypeError],
      [{ auth: { username: "u" } }, TypeError],
      [{ auth: { username: "u v", password: "p" } }, TypeError],
      [{ auth: { username: "u", password: "p\r\n" } }, TypeError],
      [{ serializer: {} }, TypeError],
      [{ serializer: { serialize: (): void => {} } }, TypeError],
    ];
    for (const [options, kind] of wrong) {
      const [name] = Object.keys(options) as [string];
      assert.throws(() => make(options), (error) => {
        assert.ok(error instanceof kind, `${JSON.stringify(options, String)}: ${error}`);
        assert.equal((error as Error & { code?: string }).code, "ERR_INVALID_ARGUMENT");
        assert.match(error.message, new RegExp(name === "hashing" ? "hashing" : `^${name}`));
        return true;
      });
    }
    for (const options of [null, 5, "auto"]) {
      assert.throws(() => make(options as unknown as Loose), /options must be an object/);
    }
  });

  test("connects to no server; nor do serverFor, a wrong call, a call without keys, and close", async () => {
    let events = 0;
    const count = (): number => events++;
    channel("memwire:connection").subscribe(count);
    const client = make({ protocol: "auto" });
    client.serverFor("k");
    await assert.rejects(client.get(""));
    assert.equal((await client.getMany([])).size, 0);
    await client.setMany([]);
    await client.close();
    channel("memwire:connection").unsubscribe(count);
    assert.equal(events, 0);
  });

  test("a custom hashing is called once for a list of servers, then its result for each key with its prefix", async () => {
    const asked: unknown[] = [];
    const hashing = (servers: readonly { id: string; weight: number }[]) => {
      asked.push(servers);
      return {
        pick: (key: string): number => {
          asked.push(key);
          return servers.length - 1;
        },
        order: (): number[] => [],
      };
    };
    const client = make({ hashing, prefix: "p:" }, ["a", ["b", 3]]);
    assert.equal(client.serverFor("k").address, "b:11211");
    client.setServers(["c", "d"]);
    assert.equal(client.serverFor("k").address, "d:11211");
    assert.deepEqual(asked, [
      [{ id: "a:11211", weight: 1 }, { id: "b:11211", weight: 3 }],
      "p:k",
      [{ id: "c:11211", weight: 1 }, { id: "d:11211", weight: 1 }],
      "p:k",
    ]);
    await client.close();
  });
});

/** version, stats, keys, flushAll and serverFor. */
import assert from "node:assert/strict";
import { channel } from "node:diagnostics_channel";
import { test } from "node:test";
import type { Part } from "./stage.ts";

export const running: Part = (on) => {
  test("the protocol asked for is the one spoken", async () => {
    const { dialect } = on();
    const spoken: unknown[] = [];
    const hear = (message: unknown): void => {
      const { event, dialect } = message as { event: string; dialect?: string };
      if (event === "ready") spoken.push(dialect);
    };
    channel("memwire:connection").subscribe(hear);
    const fresh = on().connect();
    await fresh.version();
    channel("memwire:connection").unsubscribe(hear);
    assert.deepEqual(spoken, [dialect]);
  });

  test("version: by server id", async () => {
    const { client, key } = on();
    const versions = await client.version();
    assert.deepEqual([...versions.keys()], [client.serverFor(key()).id]);
    for (const version of versions.values()) assert.match(version, /^\d+\.\d+\.\d+/);
  });

  test("serverFor: the server's id and address, never credentials", () => {
    const { client, server, key } = on();
    const ref = client.serverFor(key());
    assert.equal(ref.address, server.address);
    assert.deepEqual(Object.keys(ref).sort(), ["address", "id"]);
    assert.throws(() => client.serverFor("a b"), { code: "ERR_INVALID_ARGUMENT" });
  });

  test("stats: by server id, numbers as numbers, all else text", async () => {
    const { client, key, server } = on();
    const k = key();
    await client.set(k, "x");
    const { id } = client.serverFor(k);
    const general = await client.stats();
    assert.deepEqual([...general.keys()], [id]);
    assert.equal(general.get(id)?.["pid"], server.pid);
    assert.match(general.get(id)?.["version"] as string, /^\d+\.\d+\.\d+/);
    // "0.018215" is no integer, and 1.6.18 writes it so.
    assert.equal(typeof general.get(id)?.["rusage_user"], "string");
    const settings = (await client.stats("settings")).get(id);
    assert.equal(settings?.["item_size_max"], 1_048_576);
    assert.equal(typeof settings?.["maxconns"], "number");
    assert.ok(Object.keys((await client.stats("items")).get(id) ?? {}).length > 5);
    const slabs = (await client.stats("slabs")).get(id);
    assert.equal(typeof slabs?.["total_malloced"], "number");
    assert.ok(Object.keys((await client.stats("conns")).get(id) ?? {}).length > 5);
    assert.deepEqual(Object.keys((await client.stats("sizes")).get(id) ?? {}), ["sizes_status"]);
    await client.get(k);
    assert.deepEqual(await client.stats("reset"), new Map([[id, {}]]));
    assert.equal((await client.stats()).get(id)?.["get_hits"], 0);
  });

  test("flushAll and keys: what is stored now", async () => {
    const { client } = on();
    await client.flushAll();
    const keysOf = async (options?: { prefix?: string }): Promise<string[]> => {
      const found: string[] = [];
      for await (const key of client.keys(options)) found.push(key);
      return found.sort();
    };
    assert.deepEqual(await keysOf(), []);
    const names = [
      "plain",
      "with%percent",
      "ünï",
      "__proto__",
      "cart:1",
      "cart:2",
      "x".repeat(250),
    ];
    await client.setMany(names.map((name) => [name, 1]));
    await client.set("brief", 1, { ttl: 1000 });
    assert.deepEqual(await keysOf(), [...names, "brief"].sort());
    assert.deepEqual(await keysOf({ prefix: "cart:" }), ["cart:1", "cart:2"]);
    const prefixed = on().connect({ prefix: "cart:" });
    const own: string[] = [];
    for await (const key of prefixed.keys()) own.push(key);
    assert.deepEqual(own.sort(), ["1", "2"]);
    for await (const key of client.keys()) {
      assert.equal(typeof key, "string");
      break; // a caller may stop whenever it likes
    }
    assert.equal(await client.flushAll(), undefined);
    assert.deepEqual(await client.getMany(names), new Map());
  });
};

import assert from "node:assert/strict";
import { Memcached } from "memwire";
import { MemcachedServer } from "memwire/testing";

Deno.test("memcached is down", async () => {
  await using server = await MemcachedServer.start();
  await using cache = new Memcached(server.address, { timeout: 200 });
  await server.refuse(true);
  await assert.rejects(cache.get("page"), { code: "SERVER_DOWN" });
});

import { afterAll, expect, test } from "bun:test";
import { Memcached } from "memwire";
import { MemcachedServer } from "memwire/testing";

const server = await MemcachedServer.start();
const cache = new Memcached(server.address, { timeout: 200 });
afterAll(() => Promise.all([cache.close(), server.stop()]));

test("memcached is down", async () => {
  await server.refuse(true);
  expect(cache.get("page")).rejects.toMatchObject({ code: "SERVER_DOWN" });
});

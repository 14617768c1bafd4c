import { afterAll, expect, jest, test } from "@jest/globals";
import { Memcached } from "memwire";
import { MemcachedServer } from "memwire/testing";

const server = await MemcachedServer.start();
const cache = new Memcached(server.address, { timeout: 200 });
afterAll(() => Promise.all([cache.close(), server.stop()]));

test("a page is kept for an hour, and asked for once", async () => {
  jest.useFakeTimers();
  await cache.set("page", "cached", { ttl: 3600 });
  jest.advanceTimersByTime(3_599_000); // the server's clock is Date.now()
  expect(await cache.get("page")).toBe("cached");
  jest.advanceTimersByTime(2_000);
  expect(await cache.get("page")).toBeUndefined();
  jest.useRealTimers();
  expect(server.calls.filter(({ command }) => command === "get")).toHaveLength(2);
});

test("memcached is down", async () => {
  await server.refuse(true);
  await expect(cache.get("page")).rejects.toMatchObject({ code: "SERVER_DOWN" });
  await server.refuse(false);
  while (await cache.get("page").catch(() => "down") === "down") await new Promise(setImmediate);
});

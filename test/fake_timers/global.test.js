/* Jest's config `fakeTimers: { enableGlobally: true }`: even memwire is loaded under fake timers. */
import { expect, test } from "@jest/globals";
import process from "node:process";
import { Memcached } from "../../dist/mod.js";

const [server, silent] = process.env.MEMWIRE_SERVERS.split(" ");

test("calls and close() go on", async () => {
  const client = new Memcached(server);
  await client.set("jest", { a: 1 });
  expect(await client.get("jest")).toEqual({ a: 1 });
  await client.close();
});

test("a deadline holds", async () => {
  const client = new Memcached(silent);
  const error = await client.get("jest", { timeout: 200 }).catch((error) => error);
  expect(error.code).toBe("TIMEOUT");
  await client.close();
});

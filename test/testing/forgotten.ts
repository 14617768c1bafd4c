/** A process that starts a server and a client and stops neither: `forgotten.ts HOW`. Prints what it was answered. */
import process from "node:process";
import { Memcached } from "../../mod.ts";
import { MemcachedServer } from "../../src/testing/mod.ts";

const how = process.argv[2];
const server = await MemcachedServer.start({ idleTimeout: 1000 });
const client = new Memcached(server.address, { timeout: 300 });
await client.set("a", 1);
if (how === "waits") {
  // The client keeps the process alive until its call is settled.
  server.slow({ latency: 100 });
  client.get("a").then((value) => console.log(value));
} else {
  server.slow({ latency: 100_000 });
  console.log(await client.get("a").catch((error) => error.code));
  server.stall(100_000);
}

import process from "node:process";
import { createServer } from "node:http";
import { Memcached } from "memwire";
import { createStorage } from "unstorage";
import { memwireDriver } from "./unstorage_driver.ts";

const client = new Memcached(process.env["MEMCACHED_SERVERS"] ?? "localhost:11211");
const storage = createStorage<string>({ driver: memwireDriver({ client, base: "pages" }) });

createServer(async ({ url = "/" }, response) => {
  const key = encodeURIComponent(url);
  let page = await storage.getItem(key);
  if (page === null) await storage.setItem(key, page = `made at ${performance.now()}`, { ttl: 60 });
  response.end(page);
}).listen(Number(process.env["PORT"] ?? 3000), "127.0.0.1");

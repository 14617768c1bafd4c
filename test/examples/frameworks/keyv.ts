import process from "node:process";
import { createServer } from "node:http";
import Keyv from "keyv";
import { Memcached } from "memwire";
import { MemwireKeyv } from "memwire/keyv";

const client = new Memcached(process.env["MEMCACHED_SERVERS"] ?? "localhost:11211");
const store = new MemwireKeyv(client);
const pages = new Keyv<string>({ store, namespace: "pages", ttl: 60_000 });

createServer(async ({ url = "/" }, response) => {
  let page = await pages.get(url);
  if (page === undefined) await pages.set(url, page = `made at ${performance.now()}`);
  response.end(page);
}).listen(Number(process.env["PORT"] ?? 3000), "127.0.0.1");

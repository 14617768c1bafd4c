import process from "node:process";
import { createServer } from "node:http";
import { createCache } from "cache-manager";
import { Keyv } from "keyv";
import { Memcached } from "memwire";
import { MemwireKeyv } from "memwire/keyv";

const client = new Memcached(process.env["MEMCACHED_SERVERS"] ?? "localhost:11211");
const store = new MemwireKeyv(client, { namespace: "pages" });
// With NestJS: CacheModule.register({ stores: [new Keyv({ store })] })
const cache = createCache({ stores: [new Keyv({ store })], ttl: 60_000 });

createServer(async ({ url = "/" }, response) => {
  response.end(await cache.wrap(url, () => `made at ${performance.now()}`));
}).listen(Number(process.env["PORT"] ?? 3000), "127.0.0.1");

import process from "node:process";
import { createServer } from "node:http";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { toNodeHandler } from "better-auth/node";
import { Memcached } from "memwire";
import { secondaryStorage } from "memwire/better-auth";

const client = new Memcached(process.env["MEMCACHED_SERVERS"] ?? "localhost:11211");
const port = Number(process.env["PORT"] ?? 3000);
// The database holds the users, memcached the sessions and the counters of requests.
const database = memoryAdapter({ user: [], account: [], session: [], verification: [] });
const auth = betterAuth({
  baseURL: `http://127.0.0.1:${port}`,
  secret: "keep it, it has 32 characters or more",
  database,
  emailAndPassword: { enabled: true },
  secondaryStorage: secondaryStorage(client),
  rateLimit: { enabled: true, window: 60, max: 20 },
});
createServer(toNodeHandler(auth)).listen(port, "127.0.0.1");

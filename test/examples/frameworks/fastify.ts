import process from "node:process";
import fastifyCookie from "@fastify/cookie";
import fastifySession from "@fastify/session";
import fastify from "fastify";
import { Memcached } from "memwire";
import { createMemwireStore } from "memwire/express";

declare module "fastify" {
  interface Session {
    visits: number;
  }
}

const client = new Memcached(process.env["MEMCACHED_SERVERS"] ?? "localhost:11211");
const MemwireStore = createMemwireStore(fastifySession);
const store = new MemwireStore({ client });
const secret = "keep it, it has 32 characters or more";

const app = fastify();
await app.register(fastifyCookie);
await app.register(fastifySession, { store, secret, cookie: { secure: false } });
app.get("/", ({ session }) => {
  session.visits = (session.visits ?? 0) + 1;
  return `visit ${session.visits}`;
});
await app.listen({ port: Number(process.env["PORT"] ?? 3000) });

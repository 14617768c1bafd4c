import process from "node:process";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { Memcached, type Session, SessionStore } from "memwire";
import { withSession } from "memwire/web";

interface Fields {
  visits: number;
}

const client = new Memcached(process.env["MEMCACHED_SERVERS"] ?? "localhost:11211");
const store = new SessionStore<Fields>({ client });

const app = new Hono<{ Bindings: { session: Session<Fields> } }>();
app.get("/", ({ env: { session }, text }) => {
  session.update("visits", (visits = 0) => visits + 1);
  return text(`visit ${session.get("visits")}`);
});

const insecure = { cookie: { secure: false } }; // only without TLS, in development
const fetch = withSession(store, (request, session) => app.fetch(request, { session }), insecure);
serve({ fetch, port: Number(process.env["PORT"] ?? 3000), hostname: "127.0.0.1" });

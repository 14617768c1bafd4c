import process from "node:process";
import express from "express";
import session from "express-session";
import { Memcached } from "memwire";
import { createMemwireStore } from "memwire/express";

declare module "express-session" {
  interface SessionData {
    visits: number;
  }
}

const client = new Memcached(process.env["MEMCACHED_SERVERS"] ?? "localhost:11211");
const MemwireStore = createMemwireStore(session);
const store = new MemwireStore({ client });

const app = express();
app.use(session({ store, secret: "keep it", resave: false, saveUninitialized: false }));
app.get("/", (request, response) => {
  request.session.visits = (request.session.visits ?? 0) + 1;
  response.send(`visit ${request.session.visits}`);
});
app.listen(Number(process.env["PORT"] ?? 3000), "127.0.0.1");

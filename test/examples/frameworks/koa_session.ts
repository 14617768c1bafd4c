import process from "node:process";
import Koa from "koa";
import { createSession } from "koa-session";
import { Memcached, SessionStore } from "memwire";
import { koaSessionStore } from "./koa_session_store.ts";

const client = new Memcached(process.env["MEMCACHED_SERVERS"] ?? "localhost:11211");
const store = koaSessionStore(new SessionStore({ client, namespace: "koa:" }));

const app = new Koa();
app.keys = ["keep it"];
app.use(createSession({ store, maxAge: 86_400_000 }, app));
app.use((ctx) => {
  if (ctx.session === null || ctx.path !== "/") return;
  ctx.session["visits"] = (ctx.session["visits"] ?? 0) + 1;
  ctx.body = `visit ${ctx.session["visits"]}`;
});
app.listen(Number(process.env["PORT"] ?? 3000), "127.0.0.1");

import process from "node:process";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import Koa from "koa";
import { Memcached, type Session, SessionStore } from "memwire";
import { withNodeSession } from "memwire/node";

interface Fields {
  visits: number;
}

const client = new Memcached(process.env["MEMCACHED_SERVERS"] ?? "localhost:11211");
const store = new SessionStore<Fields>({ client });
const sessions = new WeakMap<IncomingMessage, Session<Fields>>();

const app = new Koa();
app.use((ctx) => {
  const session = sessions.get(ctx.req);
  session?.update("visits", (visits = 0) => visits + 1);
  ctx.body = `visit ${session?.get("visits")}`;
});

const handle = app.callback();
createServer(
  withNodeSession(store, (request: IncomingMessage, response: ServerResponse, session) => {
    sessions.set(request, session);
    return handle(request, response);
  }, { cookie: { secure: false } }),
).listen(Number(process.env["PORT"] ?? 3000), "127.0.0.1");

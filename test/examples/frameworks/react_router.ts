import process from "node:process";
import { createServer } from "node:http";
import { Memcached, SessionStore } from "memwire";
import { createSessionStorage } from "react-router";
import { sessionData } from "./react_router_sessions.ts";

const client = new Memcached(process.env["MEMCACHED_SERVERS"] ?? "localhost:11211");
const store = new SessionStore({ client, namespace: "router:" });
const cookie = { name: "session", secrets: ["keep it"], httpOnly: true, path: "/" };
// An application has this in app/sessions.server.ts: export const { getSession, commitSession } = ...
const { getSession, commitSession } = createSessionStorage({ cookie, ...sessionData(store) });

createServer(async ({ headers }, response) => {
  const session = await getSession(headers.cookie);
  const visits = Number(session.get("visits") ?? 0) + 1;
  session.set("visits", visits);
  response.setHeader("Set-Cookie", await commitSession(session)).end(`visit ${visits}`);
}).listen(Number(process.env["PORT"] ?? 3000), "127.0.0.1");

import { Memcached, SessionStore } from "memwire";
import * as every from "./every.js";

for (const module of Object.values(every)) {
  if (Object.keys(module).length === 0) throw new Error("a sub-path exports nothing");
}
const client = new Memcached(Deno.args[0]);
const store = new SessionStore<{ user: string }>({ client });
const session = await store.open();
session.set("user", "ada");
await store.storeSession(session);
if ((await store.open(session.id)).get("user") !== "ada") throw new Error("no session");
await client.close();
console.log(import.meta.resolve("memwire"));

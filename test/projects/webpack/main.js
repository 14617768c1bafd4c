import { Memcached, SessionStore } from "memwire";
import * as every from "./every.js";

export const subPaths = Object.values(every).map((module) => Object.keys(module));

export async function roundTrip() {
  const client = new Memcached(process.env.MEMCACHED_SERVERS);
  const store = new SessionStore({ client });
  const session = await store.open();
  session.set("user", "ada");
  await store.storeSession(session);
  const user = (await store.open(session.id)).get("user");
  await client.close();
  return user;
}

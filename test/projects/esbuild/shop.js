import { Memcached, SessionStore } from "memwire";
import * as every from "./every.js";

export { Memcached };
export const subPaths = Object.values(every).map((module) => Object.keys(module));

/** One client for each process, however often this file is loaded, as frameworks recommend. */
function sessions() {
  globalThis.memcached ??= new Memcached(process.env.MEMCACHED_SERVERS);
  return new SessionStore({ client: globalThis.memcached });
}

export async function visit(id) {
  const store = sessions();
  const session = await store.open(id);
  session.set("visits", (session.get("visits") ?? 0) + 1);
  await store.storeSession(session);
  return session.id;
}

export async function visits(id) {
  return (await sessions().open(id)).get("visits");
}

export async function close() {
  await globalThis.memcached.close();
  delete globalThis.memcached;
}

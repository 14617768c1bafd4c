import { Memcached, type MemcachedOptions, SessionStore } from "memwire";
import * as every from "./every.js";

declare const process: { env: Record<string, string | undefined> };
declare const console: { log(text: string): void };

async function main(): Promise<void> {
  const options: MemcachedOptions = { timeout: 5000 };
  const client = new Memcached(process.env["MEMCACHED_SERVERS"], options);
  const store = new SessionStore<{ user: string }>({ client });
  const session = await store.open();
  session.set("user", "ada");
  await store.storeSession(session);
  const user: string | undefined = (await store.open(session.id)).get("user");
  // @ts-expect-error: if the types were not found, they would be any, and this would be no error
  session.get("nobody");
  const modules = Object.values(every).filter((module) => Object.keys(module).length > 0);
  console.log(`${user}, ${modules.length} sub-paths`);
  await client.close();
}

void main();

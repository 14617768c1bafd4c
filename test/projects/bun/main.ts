import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { Memcached, SessionStore } from "memwire";
import * as every from "./every.js";

for (const module of Object.values(every)) assert.ok(Object.keys(module).length > 0);
const client = new Memcached(process.env["MEMCACHED_SERVERS"]);
const store = new SessionStore<{ user: string }>({ client });
const session = await store.open();
session.set("user", "ada");
assert.equal(await store.storeSession(session), "stored");

// In the bundle this is a second copy of the package, otherwise the same one.
const required = createRequire(import.meta.url)("memwire");
const again = await new required.SessionStore({ client }).open(session.id);
assert.equal(again.get("user"), "ada");
await client.close();

const assert = require("node:assert/strict");

for (const path of Object.keys(require("memwire/package.json").exports)) {
  const module = require(`memwire${path.slice(1)}`);
  assert.ok(Object.keys(module).length > 0, path);
}

async function main() {
  const { Memcached, SessionStore } = require("memwire");
  const client = new Memcached(process.env.MEMCACHED_SERVERS);
  const store = new SessionStore({ client });
  const session = await store.open();
  session.set("user", "ada");
  assert.equal(await store.storeSession(session), "stored");

  // import() gives the same copy, because Node loads the package once.
  const { SessionStore: imported } = await import("memwire");
  assert.equal(imported, SessionStore);
  assert.equal((await new imported({ client }).open(session.id)).get("user"), "ada");
  await client.close();
}

main();

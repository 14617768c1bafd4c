/* A script with sinon's fake timers, everything faked. run.ts starts the servers and runs it. */
import assert from "node:assert/strict";
import { syncBuiltinESMExports } from "node:module";
import process from "node:process";
import sinon from "sinon";
import { Memcached } from "../../dist/mod.js";

const [server, silent] = process.env.MEMWIRE_SERVERS.split(" ");

for (const synced of [false, true]) {
  const client = new Memcached(server);
  const hopeless = new Memcached(silent, { timeout: 60_000 });
  await client.set("sinon", "v");
  await hopeless.get("sinon", { timeout: 20 }).catch(() => undefined);
  const clock = sinon.useFakeTimers();
  // Some runners do this: then `import { setTimeout } from "node:timers"` gives a stand-in too.
  if (synced) syncBuiltinESMExports();
  assert.equal(await client.get("sinon"), "v");
  await client.set("sinon", "w");
  assert.equal((await client.getMany(["sinon", "absent"])).get("sinon"), "w");
  const { code } = await hopeless.get("sinon", { timeout: 200 }).catch((error) => error);
  assert.equal(code, "TIMEOUT");
  clock.restore();
  if (synced) syncBuiltinESMExports();
  await Promise.all([client.close(), hopeless.close()]);
}
console.log("sinon: all well");

/**
 * A process that uses a client and should then end by itself: `exits.ts HOW ADDRESS`. It prints the results of
 * its calls, and when it has nothing left to do.
 */
import { channel } from "node:diagnostics_channel";
import dns from "node:dns";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { Memcached } from "../../mod.ts";

const [how = "", address = ""] = process.argv.slice(2);
const connectTimeout = how === "forgets while a probe looks" ? 500 : 10_000;
const client = new Memcached(address, { timeout: 20_000, connectTimeout });
// A name with two addresses, of which the first refuses: Node tries one after the other.
Object.assign(dns, {
  lookup: (_: string, __: unknown, found: (error: null, all: unknown[]) => void) =>
    found(null, ["127.0.0.2", "127.0.0.1"].map((address) => ({ address, family: 4 }))),
});
const code = (error: { code: string }): string => error.code;

switch (how) {
  case "closes":
    await client.set("k", "v");
    await client.close();
    break;
  case "closes with calls at a silent server": {
    const calls = [client.get("k", { timeout: 50 }), client.set("k", "v", { timeout: 50 })];
    for (const call of calls) console.log(await call.catch(code));
    await client.close();
    break;
  }
  case "closes with a paused list of keys": {
    const keys = client.keys();
    console.log((await keys.next()).value);
    await client.close();
    console.log(await keys.next().catch(code));
    break;
  }
  case "forgets":
    await client.set("k", "v");
    break;
  case "waits":
    client.get("k").then(console.log, (error) => console.log(code(error)));
    break;
  case "forgets while a probe looks":
    console.log(await client.get("k").catch(code));
    await sleep(250); // the next probe is due, or under way
    break;
  case "forgets after a probe came through": {
    console.log(await client.get("k").catch(code));
    const { promise, resolve } = withResolvers();
    channel("memwire:server").subscribe((message) => {
      if ((message as { state: string }).state === "up") resolve();
    });
    console.log("down");
    const alive = setInterval(() => {}, 1_000);
    await promise;
    clearInterval(alive);
    break;
  }
}
console.log(`done ${Date.now()}`);

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((given) => resolve = given);
  return { promise, resolve };
}

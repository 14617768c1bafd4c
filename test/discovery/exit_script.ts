/** A process that finds its servers and forgets the client: run by exit.test.ts. */
import process from "node:process";
import { Memcached } from "../../mod.ts";
import { dns, elasticache } from "../../src/discovery/mod.ts";

const [kind, target, name = "", port = ""] = process.argv.slice(2) as [
  string,
  string,
  string?,
  string?,
];
const client = new Memcached(
  kind === "dns"
    ? dns(name, { nameservers: [target], port: Number(port), interval: 0.2 })
    : elasticache(target, { interval: 0.2, timeout: 5000 }),
  { timeout: 10_000, connectTimeout: kind === "silent" ? 300 : 10_000 },
);
const what = await client.set("k", 1).then(() => "stored", ({ code }) => code);
// The endpoint answers late, so the process ends in the middle of a question.
await new Promise((resolve) => setTimeout(resolve, 250));
process.stdout.write(JSON.stringify({ what, at: Date.now() }));

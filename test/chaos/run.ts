/**
 * Chaos: three real servers behind proxies, and several processes with a mixed load in both dialects and with both
 * rules of failover. For the given time connections are reset at any byte, servers are stopped and killed, and
 * replies are delayed or held back. One of the servers speaks TLS. An oracle checks that no value was ever wrong,
 * no acknowledged write lost and no call late.
 *
 *     npm run chaos -- --minutes 5
 *     npm run chaos -- --seconds 30 --seed 7
 *     npm run chaos -- --fetch                  the same for fetch and lock; see fetch.ts
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Memcached } from "../../mod.ts";
import { makeAuthority } from "../support/certificates.ts";
import { startMemcached } from "../support/memcached.ts";
import { ChaosProxy, randomFrom, wreak } from "./faults.ts";
import { judge, type Report } from "./report.ts";
import type { WorkerOptions } from "./worker.ts";

if (process.argv.includes("--fetch")) await import("./fetch.ts"); // it ends the process

const PROCESSES = 2;

const { values } = parseArgs({
  options: {
    minutes: { type: "string" },
    seconds: { type: "string", default: "30" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
  },
});
const seconds = values.minutes === undefined ? Number(values.seconds) : Number(values.minutes) * 60;
const seed = Number(values.seed);
if (!(seconds > 0) || !Number.isInteger(seed)) throw new Error("usage: see the head of run.ts");
console.log(`Chaos for ${seconds} s, --seed ${seed}`);

using authority = makeAuthority();
const certificate = authority.issue(["IP:127.0.0.1"]);
const servers = [
  await startMemcached({ args: ["-m", "512"] }),
  await startMemcached({ args: ["-m", "512"], tls: certificate }),
  await startMemcached({ args: ["-m", "512"] }),
];
const random = randomFrom(seed);
const proxies = await Promise.all(servers.map((server) => ChaosProxy.start(server, random)));
const addresses = proxies.map(({ address }, i) => i === 1 ? `memcacheds://${address}` : address);

/** Runs one process of the load until it ends. */
async function work(options: WorkerOptions): Promise<Report> {
  const worker = fileURLToPath(new URL("./worker.ts", import.meta.url));
  const types = Number.parseInt(process.versions.node) < 24 ? ["--import", "tsx"] : [];
  const child = spawn(process.execPath, [...types, worker, JSON.stringify(options)], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, NODE_EXTRA_CA_CERTS: authority.ca },
  });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => text += part);
  const timer = setTimeout(() => child.kill("SIGKILL"), (options.seconds + 30) * 1000);
  const [code] = await once(child, "close");
  clearTimeout(timer);
  if (code !== 0) throw new Error(`${options.name} ended by ${code}`);
  return JSON.parse(text) as Report;
}

const groups = (["meta", "classic"] as const).flatMap((protocol) =>
  (["none", "rehash"] as const).map((failover) => ({ protocol, failover }))
);
const workers = groups.flatMap(({ protocol, failover }, g) =>
  Array.from({ length: PROCESSES }, (_, i) =>
    work({
      name: `${protocol}-${failover}-${i}`,
      group: `${protocol}-${failover}`,
      servers: addresses,
      protocol,
      failover,
      seconds,
      seed: seed + g * 10 + i,
    }))
);
const faults = wreak(servers, proxies, random, performance.now() + seconds * 1000);
const reports = await Promise.all(workers);
console.log("faults:", JSON.stringify(await faults));

const ca = readFileSync(authority.ca);
const clients = servers.slice(0, 2).map((server, i) =>
  new Memcached(server.address, i === 1 ? { tls: { ca } } : {})
);
const wrong = await judge(reports, clients);
for (const { worker, ends, latest, late } of reports) {
  console.log(
    `${worker.padEnd(18)} latest ${
      latest.toFixed(0)
    } ms after its deadline, ${late.length} too late  ${JSON.stringify(ends)}`,
  );
}
await Promise.all(clients.map((client) => client.close()));
for (const proxy of proxies) proxy.stop();
await Promise.all(servers.map((server) => server.stop()));
for (const text of wrong.slice(0, 50)) console.error(`VIOLATION ${text}`);
const calls = reports.reduce(
  (sum, { ends }) => sum + Object.values(ends).reduce((a, b) => a + b, 0),
  0,
);
console.log(`${calls} calls, ${wrong.length} violations`);
process.exitCode = wrong.length === 0 ? 0 : 1;

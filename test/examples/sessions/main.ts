/**
 * Sessions that two application servers share through three memcached servers.
 *
 *     npm start                 walks a visitor through, prints each step, ends
 *     npm start -- --serve      keeps the two applications up until Ctrl-C, for a browser
 *
 * Also `deno task start` and `bun run start`. shop.ts is what an application looks like; walk.ts is
 * the walk; the rest starts and stops servers.
 */
import { once } from "node:events";
import process from "node:process";
import { findMemcached, WAYS_TO_GET_ONE } from "../../support/find_memcached.ts";
import { startMany } from "../../support/memcached.ts";
import { startApplication } from "./start_application.ts";
import { type NamedServer, walk } from "./walk.ts";

const serve = process.argv.includes("--serve");
try {
  if (findMemcached() === undefined) throw new Error("there is none here.");
} catch (error) {
  const { message } = error as Error;
  console.error(`This example needs memcached: ${message}\n${WAYS_TO_GET_ONE}`);
  process.exit(1);
}

const servers = await startMany(3);
const named: NamedServer[] = servers.map((server, at) => ({ name: "ABC"[at] ?? "?", server }));
const addresses = servers.map(({ address }) => address);
const applications = await Promise.all([
  startApplication("one", addresses),
  startApplication("two", addresses),
]);

console.log("Three memcached servers:");
for (const { name, server } of named) console.log(`   ${name}    ${server.address}`);
console.log("Two application servers, each a process of its own, that share nothing else:");
for (const { name, url } of applications) console.log(`   ${name}  ${url}`);

try {
  if (serve) {
    console.log("\nOpen both in a browser and log in on either. Ctrl-C ends it.");
    await once(process, "SIGINT");
  } else {
    await walk(named, applications);
    console.log("\nThat is all. `npm start -- --serve` keeps the applications up for a browser.");
  }
} finally {
  await Promise.all(applications.map((application) => application.stop()));
  await Promise.all(servers.map((server) => server.stop()));
}

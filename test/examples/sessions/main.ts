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
import { startApplication } from "./start_application.ts";
import { chooseKind, type Kind, runtimeName } from "./servers.ts";
import { walk } from "./walk.ts";

const serve = process.argv.includes("--serve");
let kind: Kind;
try {
  kind = chooseKind();
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}

const servers = await Promise.all(["A", "B", "C"].map((name) => kind.start(name)));
const addresses = servers.map(({ address }) => address);
const applications = await Promise.all([
  startApplication("one", addresses),
  startApplication("two", addresses),
]);

console.log(`Three memcached servers (${kind.words}):`);
for (const { name, address } of servers) console.log(`   ${name}    ${address}`);
console.log(
  `Two application servers, processes of their own in ${runtimeName()}, that share nothing else:`,
);
for (const { name, url } of applications) console.log(`   ${name}  ${url}`);

try {
  if (serve) {
    console.log("\nOpen both in a browser and log in on either. Ctrl-C ends it.");
    await once(process, "SIGINT");
  } else {
    await walk(servers, applications);
    console.log("\nThat is all. `npm start -- --serve` keeps the applications up for a browser.");
  }
} finally {
  await Promise.all(applications.map((application) => application.stop()));
  await Promise.all(servers.map((server) => server.stop()));
}

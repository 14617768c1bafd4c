/**
 * Sessions that two application servers share through three memcached servers.
 *
 *     npm start                              walks a visitor through, prints each step, ends
 *     npm start -- --serve [--port NUMBER]   a page to click through in a browser, until Ctrl-C
 *
 * `deno task start` and `bun run start` do the same. shop.ts shows what an application looks like, walk.ts is the
 * walk, page_server.ts is the page, and the rest starts and stops servers.
 */
import { once } from "node:events";
import process from "node:process";
import { readCommandLine, USAGE, type Wish } from "./command_line.ts";
import { servePage } from "./page_server.ts";
import { chooseKind, type Kind, type NamedServer, runtimeName } from "./servers.ts";
import { type Application, startApplication } from "./start_application.ts";
import { walk } from "./walk.ts";

/** The exit codes for a failure and for a command line that makes no sense. */
const FAILED = 1;
const MISUSED = 2;

const wish = orExit(() => readCommandLine(process.argv.slice(2)), MISUSED, USAGE);
if (wish.help) console.log(USAGE);
else await run(wish, orExit(chooseKind, FAILED));

async function run({ serve, port }: Wish, kind: Kind): Promise<void> {
  const servers = await Promise.all(["A", "B", "C"].map((name) => kind.start(name)));
  const addresses = servers.map(({ address }) => address);
  const applications = await Promise.all([
    startApplication("one", addresses),
    startApplication("two", addresses),
  ]);
  console.log(`Three memcached servers (${kind.words}):`);
  for (const { name, address } of servers) {
    console.log(`   ${name}    ${address}`);
  }
  console.log(
    `Two application servers, processes of their own in ${runtimeName()}, that share nothing else:`,
  );
  for (const { name, url } of applications) console.log(`   ${name}  ${url}`);
  try {
    if (serve) return await keepUp(servers, applications, kind.words, port);
    await walk(servers, applications);
    console.log("\nThat is all. `npm start -- --serve` shows it on a page, for a browser.");
  } finally {
    await Promise.all(applications.map((application) => application.stop()));
    await Promise.all(servers.map((server) => server.stop()));
  }
}

async function keepUp(
  servers: readonly NamedServer[],
  applications: readonly Application[],
  words: string,
  port: number,
): Promise<void> {
  const ended = Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
  let page;
  try {
    page = await servePage(servers, applications, { port, words });
  } catch (error) {
    console.error(`\nThe page cannot be served on port ${port}: ${(error as Error).message}`);
    process.exitCode = FAILED;
    return;
  }
  console.log(`\nOpen ${page.url} in a browser. Ctrl-C ends it.`);
  await ended;
  await page.stop();
}

/** Returns the result of `read`. If it throws, the process prints why and ends. */
function orExit<T>(read: () => T, code: number, more = ""): T {
  try {
    return read();
  } catch (error) {
    console.error(`${(error as Error).message}\n${more && `\n${more}`}`.trimEnd());
    process.exit(code);
  }
}

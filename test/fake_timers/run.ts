/**
 * Runs memwire under Jest's and sinon's fake timers, as its users do: the built package, with real servers.
 *
 *     npm ci --prefix test/fake_timers && npm run build && node --import tsx test/fake_timers/run.ts
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { startMemcached } from "../support/memcached.ts";
import { startScriptedServer } from "../support/scripted_server.ts";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));
// A run that hangs has found a bug.
const LIMIT_MS = 60_000;

await using server = await startMemcached();
await using silent = await startScriptedServer(async (peer) => {
  for (;;) await peer.next();
});

/** Runs Node with these arguments. Returns false if it failed or hung. */
async function run(...args: string[]): Promise<boolean> {
  const child = spawn(process.execPath, args, {
    cwd: FOLDER,
    stdio: "inherit",
    env: { ...process.env, MEMWIRE_SERVERS: `${server.address} ${silent.address}` },
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
  const [code, signal] = await once(child, "exit");
  clearTimeout(timer);
  if (signal !== null) console.error(`${args.at(-1)} hung and was ended.`);
  return code === 0;
}

const jest = ["--experimental-vm-modules", "--no-warnings", "node_modules/jest/bin/jest.js"];
const globally = JSON.stringify({ fakeTimers: { enableGlobally: true } });
const fine = [
  await run(...jest, "--ci", "jest.test.js"),
  await run(...jest, "--ci", "--config", globally, "global.test.js"),
  await run("sinon.js"),
];
process.exitCode = fine.every(Boolean) ? 0 : 1;

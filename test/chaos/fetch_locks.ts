/** Tests locks between processes: 40 contenders with 200 locks, and a holder that is stopped past its ttl. */
import { type ChildProcess, fork } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Memcached } from "../../mod.ts";
import { startMemcached } from "../support/memcached.ts";

const PROCESSES = 4;
const CONTENDERS = 10;
const ROUNDS = 5;

/** The result. */
export interface LockTally {
  acquired: number;
  readonly violations: string[];
}

/** A report of a process: the token with which it got or releases the lock, or how a stopped one ended. */
interface Said {
  readonly in?: string;
  readonly out?: string;
  readonly refused?: boolean;
  readonly lost?: boolean;
  readonly held?: boolean;
  readonly extended?: boolean;
  readonly released?: boolean;
  readonly warned?: boolean;
}

function start(...args: string[]): ChildProcess {
  return fork(fileURLToPath(new URL("fetch_lock_worker.ts", import.meta.url)), args);
}

/** Runs both tests. */
export async function locks(): Promise<LockTally> {
  const server = await startMemcached();
  const tally: LockTally = { acquired: 0, violations: [] };
  await contend(server.address, tally);
  for (const protocol of ["meta", "classic"] as const) await stop(server.address, protocol, tally);
  await server.stop();
  return tally;
}

async function contend(address: string, tally: LockTally): Promise<void> {
  let inside: bigint | undefined;
  let last = 0n;
  const hear = (said: Said): void => {
    if (said.in !== undefined) {
      tally.acquired++;
      if (inside !== undefined) tally.violations.push("two inside");
      inside = BigInt(said.in);
      if (inside <= last) tally.violations.push("a token that does not rise");
      last = inside;
    } else if (said.out !== undefined) inside = undefined;
    else tally.violations.push(JSON.stringify(said));
  };
  const gone = Array.from({ length: PROCESSES }, (_, i) => {
    const protocol = i % 2 === 0 ? "meta" : "classic";
    const child = start(address, protocol, String(CONTENDERS), String(ROUNDS));
    child.on("message", (message) => {
      hear(message as Said);
      if (child.connected) child.send("heard");
    });
    return new Promise((resolve) => child.once("exit", resolve));
  });
  await Promise.all(gone);
  const wanted = PROCESSES * CONTENDERS * ROUNDS;
  if (tally.acquired !== wanted) tally.violations.push(`${tally.acquired} of ${wanted} acquired`);
}

async function stop(
  address: string,
  protocol: "meta" | "classic",
  tally: LockTally,
): Promise<void> {
  const child = start(address, protocol, "1", "stopped");
  const said: Said[] = [];
  child.on("message", (message) => said.push(message as Said));
  const gone = new Promise((resolve) => child.once("exit", resolve));
  while (said.length === 0) await sleep(5);
  child.kill("SIGSTOP");
  const client = new Memcached(address, { protocol });
  const lock = await client.lock("stopped", { ttl: 30, wait: 10_000 });
  if (lock === undefined) tally.violations.push("a stopped holder's lock did not end");
  child.kill("SIGCONT");
  child.send("go on");
  await gone;
  const { extended, released, warned } = said[1] ?? {};
  if (extended !== false || released !== false || warned !== true) {
    tally.violations.push(`a holder that was stopped: ${JSON.stringify(said)}`);
  }
  if (!await lock?.release()) tally.violations.push("the next holder has lost its lock");
  await client.close();
}

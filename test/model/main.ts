/**
 * A random test of sessions. It plays histories of one visitor each, by handles in several processes, in both
 * dialects, with two secrets in either order, over servers that are cut, stalled and restarted, and compares
 * them with a model of what was acknowledged. No acknowledged field may be lost, no session may be readable
 * after an acknowledged logout, nobody may get another's session, and of a session that moves one copy must
 * always be there.
 *
 *     node --import tsx test/model/main.ts [HISTORIES [SEED]]
 *
 * CI runs 2,000 histories; by hand, 20,000.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Memcached, SessionStore } from "../../mod.ts";
import { Random } from "../v8/random.ts";
import { History, type Stage, Violation } from "./history.ts";
import { makeTrouble, startFaulty } from "./servers.ts";
import type { Command, Result } from "./worker.ts";
import { PATIENT } from "../support/patient.ts";

const SERVERS = 3;
const WORKERS = 2;
// How many histories are played at the same time.
const AT_ONCE = 60;

const [count = 2_000, seed = Date.now() % 2 ** 31] = process.argv.slice(2).map(Number);
console.log(`${count} histories, seed ${seed}`);
const random = new Random(seed);
const servers = await startFaulty(SERVERS);
const addresses = servers.map(({ address }) => address);
const namespace = "model:";
const workers = Array.from({ length: WORKERS }, () => startWorker(namespace, addresses));
const client = new Memcached(addresses, PATIENT);
const keys = new SessionStore({ client, namespace, secret: "only for the names of keys" });

const stage: Stage = {
  workers: WORKERS,
  ask: (worker, command) => (workers[worker] as Worker).ask(command),
  serverOf: (id) => addresses.indexOf(client.serverFor(keys.mcKey(id)).address),
  restarts: () => servers.map(({ restarts }) => restarts),
};

const begun = performance.now();
let played = 0;
let failure: unknown;
try {
  for (let left = count; left > 0 && failure === undefined; left -= 1000) {
    const histories = Array.from(
      { length: Math.min(left, 1000) },
      () => new History(stage, new Random(random.next()), `h${played++}`),
    );
    const calm = new AbortController();
    const trouble = makeTrouble(servers, new Random(random.next()), calm.signal);
    await each(histories, (history) => history.play());
    calm.abort();
    console.log(`${played} histories`, await trouble);
    await each(histories, (history) => history.check());
  }
} catch (error) {
  failure = error;
}
for (const worker of workers) worker.end(failure !== undefined);
await client.close();
for (const server of servers) await server.stop();
const seconds = ((performance.now() - begun) / 1000).toFixed(1);
const commands = workers.reduce((sum, { asked }) => sum + asked, 0);
if (failure !== undefined) {
  console.error(failure instanceof Violation ? failure.message : failure);
  console.error(`Violated after ${seconds} s; the seed is ${seed}`);
  process.exitCode = 1;
} else console.log(`${played} histories, ${commands} commands, ${seconds} s: no violation`);

async function each(
  histories: readonly History[],
  act: (history: History) => Promise<void>,
): Promise<void> {
  const queue = [...histories];
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) await act(next);
  }));
}

interface Worker {
  readonly asked: number;
  ask(command: Omit<Command, "n">): Promise<Result>;
  end(failed: boolean): void;
}

function startWorker(...args: readonly (string | readonly string[])[]): Worker {
  const file = fileURLToPath(new URL("worker.ts", import.meta.url));
  const child = spawn(process.execPath, [...process.execArgv, file, ...args.flat()], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const waiting = new Map<number, (result: Result) => void>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    const result = JSON.parse(line) as Result;
    waiting.get(result.n)?.(result);
    waiting.delete(result.n);
  });
  let n = 0;
  return {
    get asked() {
      return n;
    },
    ask(command): Promise<Result> {
      child.stdin.write(`${JSON.stringify({ n: ++n, ...command })}\n`);
      return new Promise((resolve) => waiting.set(n, resolve));
    },
    end: (failed) => failed ? child.kill("SIGKILL") : child.stdin.end(),
  };
}

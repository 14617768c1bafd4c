/** Counts how often eight processes that fetch one hot key ask the source. */
import { fork } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startMemcached } from "../support/memcached.ts";
import type { Job, Protocol, Question } from "./fetch_messages.ts";

const PROCESSES = 8;
const TTL = 2;
// memcached's clock ticks in whole seconds, so an item with a ttl of n lives at least n - 1 seconds.
const LEAST_LIFE_MS = (TTL - 1) * 1000;
// How late a message between two processes may be.
const LATE_MS = 100;

/** The result. */
export interface HotTally {
  readonly seconds: number;
  calls: number;
  loads: number;
  readonly violations: string[];
}

/** Lets eight processes fetch one key for so many seconds. */
export async function hot(seconds: number): Promise<HotTally> {
  const server = await startMemcached();
  const tally: HotTally = { seconds, calls: 0, loads: 0, violations: [] };
  let loading = 0;
  let since = -Infinity;
  const job = (protocol: Protocol): Job => ({
    address: server.address,
    protocol,
    keys: ["hot"],
    users: 4,
    thinkMs: 10,
    options: { ttl: TTL, lease: 10 },
  });
  const file = fileURLToPath(new URL("fetch_worker.ts", import.meta.url));
  const workers = Array.from({ length: PROCESSES }, (_, i) => {
    const worker = fork(file, [JSON.stringify(job(i % 2 === 0 ? "meta" : "classic"))]);
    worker.on("message", (message) => {
      const question = message as Question & { id: number };
      const { id } = question;
      if (question.ask === "done") {
        tally.calls++;
        const { error, result } = question.done;
        if (error !== "" || result === "bypassed") tally.violations.push(`${result} ${error}`);
      } else if (question.ask === "begin") {
        const now = performance.now();
        if (loading > 0) tally.violations.push("two loads at once");
        if (now - since < LEAST_LIFE_MS - LATE_MS) {
          tally.violations.push(`two loads, ${Math.round(now - since)} ms apart`);
        }
        since = now;
        loading++;
        worker.send({ id, load: ++tally.loads, version: 1, ms: 20 });
      } else if (question.ask === "end") {
        loading--;
        worker.send({ id });
      } else worker.send({ id, floor: 0, hard: 0 });
    });
    return worker;
  });
  await sleep(seconds * 1000);
  await Promise.all(workers.map(async (worker) => {
    const gone = new Promise((resolve) => worker.once("exit", resolve));
    worker.send("end");
    await gone;
  }));
  await server.stop();
  if (tally.loads < seconds / TTL / 2) {
    tally.violations.push(`only ${tally.loads} loads: it was not hot`);
  }
  return tally;
}

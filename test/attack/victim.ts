/**
 * The process that is attacked: an embedded server that watches itself. memory.ts starts it and reads a line of
 * JSON from it every second.
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { setImmediate } from "node:timers";
import { MemcachedServer } from "../../src/testing/mod.ts";

const collect = globalThis.gc as () => void;
const server = await MemcachedServer.start({ memoryLimit: Number(process.argv[2]) });

/**
 * Returns the bytes in use, after garbage was collected. Node frees buffers in another thread, and counts them
 * until the next collection.
 */
function live(): number {
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Returns how many ms this thread has computed. The time during which others had the processor is not counted. */
function computed(): number {
  const [spent] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, "latin1").split(" ");
  return Number(spent) / 1e6;
}

const before = live();
let held = 0;
let waited = 0;
let last = { spent: computed(), now: performance.now() };

function look(): void {
  const next = { spent: computed(), now: performance.now() };
  held = Math.max(held, next.spent - last.spent);
  waited = Math.max(waited, next.now - last.now);
  last = next;
  setImmediate(look);
}
setImmediate(look);

process.stdout.write(`${JSON.stringify({ address: server.address })}\n`);
setInterval(() => {
  const used = live() - before;
  const { rss } = process.memoryUsage();
  process.stdout.write(`${JSON.stringify({ used, held, waited, rss })}\n`);
  held = waited = 0;
  last = { spent: computed(), now: performance.now() };
}, 1000);

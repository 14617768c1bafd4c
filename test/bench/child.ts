/**
 * The process of one contender for one workload. It reads a job from each line and answers with a line. So each has
 * its own compiler, heap and memory peak, and is idle while another one runs.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import type { Contender, Place, Running } from "./contender.ts";
import type { Workload } from "./workloads.ts";

/** What the parent asks for. */
export interface Job {
  readonly workload: Workload;
  readonly place: Place;
  /** How long to run, in ms; 0: only get ready. */
  readonly ms: number;
}

/** What the child answers. */
export interface Result {
  /** Whether it can do this workload. */
  readonly able: boolean;
  readonly opsPerSecond: number;
  readonly cpuMicrosPerOp: number;
  readonly rssMiB: number;
  /** How long one operation takes, in ms; only if the workload asks for it. */
  readonly p50?: number;
  readonly p99?: number;
}

/** How long each workload runs before it is measured: the engine still compiles after half a second. */
const WARM_UP_MS = 1000;

const sources: Readonly<Record<string, () => Promise<Contender>>> = {
  floor: async () => (await import("./floor.ts")).floor,
  memwire: async () => (await import("./memwire.ts")).memwire,
  memcache: async () => (await import("./peers.ts")).memcache,
  memjs: async () => (await import("./peers.ts")).memjs,
  memcached: async () => (await import("./peers.ts")).memcached,
  "memcache-client": async () => (await import("./peers.ts")).memcacheClient,
  ioredis: async () => (await import("./peers.ts")).ioredis,
  redis: async () => (await import("./peers.ts")).redis,
  "connect-redis": async () => (await import("./session_peers.ts")).connectRedis,
  "connect-memcached": async () => (await import("./session_peers.ts")).connectMemcached,
};

const contender = await (sources[process.argv[2] as string] as () => Promise<Contender>)();
let running: Running | undefined;
let ready = false;

for await (const line of createInterface({ input: process.stdin })) {
  const job = JSON.parse(line) as Job;
  console.log(JSON.stringify(await perform(job)));
}
process.exit(0);

async function perform({ workload, place, ms }: Job): Promise<Result> {
  if (!ready) {
    ready = true;
    running = await contender(workload, place);
    await running?.run(WARM_UP_MS);
  }
  const nothing = {
    able: running !== undefined,
    opsPerSecond: 0,
    cpuMicrosPerOp: 0,
    rssMiB: 0,
  };
  if (running === undefined || ms === 0) return nothing;
  const cpu = process.cpuUsage();
  const start = performance.now();
  const operations = await running.run(ms);
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return {
    able: true,
    opsPerSecond: operations / seconds,
    cpuMicrosPerOp: (user + system) / operations,
    rssMiB: process.memoryUsage().rss / 1024 / 1024,
    ...(running.latencies === undefined ? {} : percentiles(running.latencies)),
  };
}

function percentiles(latencies: readonly number[]): { p50: number; p99: number } {
  const sorted = [...latencies].sort((a, b) => a - b);
  const at = (part: number): number => sorted[Math.floor(part * (sorted.length - 1))]!;
  return { p50: at(0.5), p99: at(0.99) };
}

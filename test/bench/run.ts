/**
 * The benchmark: memwire, the floor and the peers, each in a process of its own, one after the other in
 * every round, on the same servers; medians of the rounds, and their ratios.
 *
 *     npm run bench                          the table
 *     npm run bench -- --svg chart.svg       and a chart
 *     npm run bench -- --runtime deno        memwire and the floor there: deno, bun, node24 or a path
 *     npm run bench -- --only "get 100"      rows whose name begins so
 *     npm run bench -- --rounds 5 --ms 500   how often and how long; 5 and 400
 *     npm run bench -- --no-peers --curves
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startMemcached } from "../support/memcached.ts";
import type { Job, Result } from "./child.ts";
import { chart } from "./chart.ts";
import type { Place } from "./contender.ts";
import { curveTable, type Measured, median, table } from "./report.ts";
import { curves, type Workload, workloads } from "./workloads.ts";

const PEERS = ["memcache", "memjs", "memcached", "memcache-client", "ioredis", "redis"];
const SESSION_PEERS = ["connect-redis", "connect-memcached"];

const { values } = parseArgs({
  options: {
    runtime: { type: "string", default: process.execPath },
    only: { type: "string", default: "" },
    rounds: { type: "string", default: "5" },
    ms: { type: "string", default: "400" },
    svg: { type: "string" },
    peers: { type: "boolean", default: true },
    curves: { type: "boolean", default: false },
  },
  allowNegative: true,
});
const rounds = Number(values.rounds);
const ms = Number(values.ms);

/** A contender's process. */
class Child {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(name: string) {
    // The clients run in Node, where they are at home; memwire, the floor and the session stores in the
    // runtime asked for.
    const own = name === "memwire" || name === "floor" || name.startsWith("connect-");
    const [command, ...args] = commandIn(own ? values.runtime : process.execPath);
    this.#process = spawn(command as string, [...args, name], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, MEMWIRE_PEERS: fileURLToPath(new URL("peers/", import.meta.url)) },
    });
    const stdout = this.#process.stdout as NonNullable<ChildProcess["stdout"]>;
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  }

  async ask(job: Job): Promise<Result> {
    this.#process.stdin?.write(`${JSON.stringify(job)}\n`);
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done === true) throw new Error("a contender's process has ended");
      if (value.startsWith("{")) return JSON.parse(value) as Result; // else a peer's own chatter
    }
  }

  end(): void {
    this.#process.stdin?.end();
  }
}

/** Deno and Bun read TypeScript as it is; Node gets what is published for it: compiled by tsc. */
function commandIn(runtime: string): string[] {
  const name = runtime.split("/").at(-1) as string;
  const source = fileURLToPath(new URL("child.ts", import.meta.url));
  // connect-memcached sets __proto__.
  if (name.startsWith("deno")) {
    return [runtime, "run", "-A", "--unsafe-proto", "--no-check", source];
  }
  if (name.startsWith("bun")) return [runtime, source];
  return [runtime, join(compiled, "test/bench/child.js")];
}

function compile(): string {
  const folder = mkdtempSync(join(tmpdir(), "memwire-bench-"));
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const options = ["--noEmit", "false", "--declaration", "true", "--rootDir", root];
  execFileSync(process.execPath, [compiler, "-p", root, ...options, "--outDir", folder]);
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  return folder;
}

async function startRedis(): Promise<
  { address: string; stop(): void } | undefined
> {
  try {
    execFileSync("redis-server", ["--version"]);
  } catch {
    console.error("No redis-server in PATH: the rows of Redis stay empty.");
    return undefined;
  }
  const port = await freePort();
  const args = [
    "--port",
    String(port),
    "--bind",
    "127.0.0.1",
    "--save",
    "",
    "--appendonly",
    "no",
  ];
  const server = spawn("redis-server", args, { stdio: "ignore" });
  await new Promise((resolve) => setTimeout(resolve, 500));
  return { address: `127.0.0.1:${port}`, stop: () => void server.kill() };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}

async function measure(
  list: readonly Workload[],
  names: readonly string[],
  place: Place,
): Promise<Measured[]> {
  const measured: Measured[] = [];
  const children = new Map(names.map((name) => [name, new Child(name)]));
  for (const workload of list) {
    const results = new Map<string, Result[]>();
    for (const [name, child] of children) {
      const { able } = await child.ask({ workload, place, ms: 0 });
      if (able) results.set(name, []);
    }
    for (let round = 0; round < rounds; round++) {
      for (const [name, list] of results) {
        list.push(
          await (children.get(name) as Child).ask({ workload, place, ms }),
        );
      }
    }
    const medians = new Map<string, Result>();
    for (const [name, list] of results) {
      medians.set(name, {
        able: true,
        opsPerSecond: median(list.map((result) => result.opsPerSecond)),
        cpuMicrosPerOp: median(list.map((result) => result.cpuMicrosPerOp)),
        rssMiB: Math.max(...list.map((result) => result.rssMiB)),
      });
    }
    measured.push({ workload, results: medians });
    console.error(`  ${workload.name}`);
  }
  for (const child of children.values()) child.end();
  return measured;
}

const compiled = compile();
const servers = await Promise.all(
  [1, 2, 3, 4, 5, 6, 7, 8].map(() => startMemcached({ args: ["-m", "512"] })),
);
const redis = values.peers ? await startRedis() : undefined;
const place = {
  memcached: servers.map((server) => server.address),
  redis: redis?.address,
};
const wanted = workloads.filter(({ name }) => name.startsWith(values.only));
const peers = values.peers ? [...PEERS, ...SESSION_PEERS] : [];
const runtimeName = (values.runtime.split("/").at(-1) as string).replace(
  /\d+$/,
  "",
);
const column = runtimeName === "deno" ? 1 : runtimeName === "bun" ? 2 : 0;

try {
  const measured = await measure(wanted, ["floor", "memwire", ...peers], place);
  const machine = `${cpus()[0]?.model ?? "?"}, ${cpus().length} cores`;
  console.log(
    `\n${values.runtime}, ${machine}, ${rounds} rounds of ${ms} ms, medians\n`,
  );
  console.log(table(measured, column));
  if (values.svg !== undefined) writeFileSync(values.svg, chart(measured));
  if (values.curves) {
    for (const curve of curves) {
      console.log(`\n${curveTable(curve, await measure(curve.rows, ["memwire"], place))}`);
    }
  }
} finally {
  redis?.stop();
  rmSync(compiled, { recursive: true });
  await Promise.all(servers.map((server) => server.stop()));
}
process.exit(0);

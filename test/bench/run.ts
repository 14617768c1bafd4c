/**
 * The benchmark: memwire, the floor and the peers run on the same servers, each in its own process for each row. In
 * every round memwire takes turns with the floor, the client in C and the other checkout in short slices, since a
 * machine may run at two speeds and change from one to the other within a second. The benchmark prints the medians of
 * the rounds and their ratios. A row whose rounds differ by more than a fifth is marked, because the machine was too
 * busy.
 *
 *     npm run bench                          the table
 *     npm run bench -- --svg chart.svg       and a chart
 *     npm run bench -- --runtime deno        memwire and the floor there: deno, bun, node24 or a path
 *     npm run bench -- --only "get 100"      rows whose name begins with this
 *     npm run bench -- --rounds 5 --ms 500   how often and how long; 5 and 400
 *     npm run bench -- --no-peers --curves
 *     npm run bench -- --c                   also compares CPU per call with a client in C, compiled by `cc`
 *     npm run bench -- --base ../before      also compares CPU per call with another checkout of memwire
 */
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { cpus, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { startMemcached } from "../support/memcached.ts";
import type { Job, Result } from "./child.ts";
import { chart } from "./chart.ts";
import type { Place } from "./contender.ts";
import { curveTable, joined, latencyTable, type Measured, table } from "./report.ts";
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
    c: { type: "boolean", default: false },
    base: { type: "string" },
  },
  allowNegative: true,
});
/** The workloads that an older memwire can do too. */
const OF_BASE: ReadonlySet<string> = new Set(["get", "set", "getMany", "session"]);
const rounds = Number(values.rounds);
const ms = Number(values.ms);
/** Those that take turns in slices. The others are so much slower that a slice is too short for them. */
const COMPARED_BY_CPU: ReadonlySet<string> = new Set(["floor", "memwire", "base", "c"]);
/** How long a slice is, in ms. A shorter one would mostly measure how the calls begin and end. */
const SLICE_MS = 50;

/** The contenders. */
interface Entrant {
  ask(job: Job): Promise<Result>;
  /** Ends it. Resolves when its process and connections are gone. */
  end(): Promise<void>;
}

/** The client in C, with a process for each round. */
class CClient implements Entrant {
  async ask({ workload, place, ms }: Job): Promise<Result> {
    const { kind, size, inFlight, servers = 1, dialect = "meta" } = workload;
    const able = (kind === "get" || kind === "set") && servers === 1 && dialect === "meta" &&
      size * inFlight < 1_000_000;
    if (!able || ms === 0) return { able, opsPerSecond: 0, cpuMicrosPerOp: 0, rssMiB: 0 };
    const port = (place.memcached[0] as string).split(":")[1] as string;
    const args = [port, kind, inFlight, size, Math.round(ms)].map(String);
    const { stdout } = await promisify(execFile)(join(compiled, "c_client"), args);
    return { able, rssMiB: 0, ...JSON.parse(stdout) as Pick<Result, "opsPerSecond"> } as Result;
  }

  async end(): Promise<void> {}
}

/** Starts a contender's process. */
class Child implements Entrant {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(name: string) {
    // The other clients run in Node, for which they are made; memwire, the floor and the session stores run in the
    // chosen runtime.
    const own = ["memwire", "base", "floor"].includes(name) || name.startsWith("connect-");
    const [command, ...args] = name === "base"
      ? commandIn(values.runtime, base as string, compiledBase)
      : commandIn(own ? values.runtime : process.execPath, root, compiled);
    this.#process = spawn(command as string, [...args, name === "base" ? "memwire" : name], {
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

  end(): Promise<void> {
    const gone = new Promise<void>((resolve) => this.#process.once("exit", () => resolve()));
    this.#process.stdin?.end();
    return gone;
  }
}

/** Deno and Bun read TypeScript as it is. Node gets what is published for it, compiled by tsc. */
function commandIn(runtime: string, root: string, compiled: string): string[] {
  const name = runtime.split("/").at(-1) as string;
  const source = join(root, "test/bench/child.ts");
  // connect-memcached sets __proto__.
  if (name.startsWith("deno")) {
    return [runtime, "run", "-A", "--unsafe-proto", "--no-check", source];
  }
  if (name.startsWith("bun")) return [runtime, source];
  return [runtime, join(compiled, "test/bench/child.js")];
}

function compile(root: string): string {
  const folder = mkdtempSync(join(tmpdir(), "memwire-bench-"));
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
  for (const workload of list) {
    // A new process for each row: in one that has done other rows, 4 KiB bytes took half as much CPU again.
    const entrants = new Map<string, Entrant>(
      names.map((name) => [name, name === "c" ? new CClient() : new Child(name)]),
    );
    const results = new Map<string, Result[]>();
    for (const [name, entrant] of entrants) {
      if (name === "base" && !OF_BASE.has(workload.kind)) continue;
      const { able } = await entrant.ask({ workload, place, ms: 0 });
      if (able) results.set(name, []);
    }
    // The percentiles of a round need one slice. A lone call mostly waits for the other process to wake up, which is
    // twice as quick in short slices, so nobody gets them there.
    const whole = workload.kind === "beside" || workload.inFlight === 1;
    const slices = whole ? 1 : Math.max(1, Math.round(ms / SLICE_MS));
    for (let round = 0; round < rounds; round++) {
      const parts = new Map<string, Result[]>();
      for (const name of results.keys()) parts.set(name, []);
      for (let slice = 0; slice < slices; slice++) {
        for (const [name, list] of parts) {
          const sliced = COMPARED_BY_CPU.has(name);
          if (!sliced && slice > 0) continue;
          const time = sliced ? ms / slices : ms;
          list.push(await (entrants.get(name) as Entrant).ask({ workload, place, ms: time }));
        }
      }
      for (const [name, list] of parts) results.get(name)!.push(joined(list));
    }
    measured.push({ workload, results });
    console.error(`  ${workload.name}`);
    await Promise.all([...entrants.values()].map((entrant) => entrant.end()));
  }
  return measured;
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const compiled = compile(root);
const base = values.base === undefined ? undefined : resolve(values.base);
const compiledBase = base === undefined ? "" : compile(base);
if (values.c) {
  const source = fileURLToPath(new URL("c_client.c", import.meta.url));
  execFileSync("cc", ["-O2", "-o", join(compiled, "c_client"), source]);
}
// Some peers open a connection for each call in flight.
const servers = await Promise.all(
  [1, 2, 3, 4, 5, 6, 7, 8].map(() => startMemcached({ args: ["-m", "512", "-c", "8192"] })),
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
  const beside = [...(base === undefined ? [] : ["base"]), ...(values.c ? ["c"] : [])];
  const measured = await measure(wanted, ["floor", "memwire", ...beside, ...peers], place);
  const machine = `${cpus()[0]?.model ?? "?"}, ${cpus().length} cores`;
  console.log(
    `\n${values.runtime}, ${machine}, ${rounds} rounds of ${ms} ms, medians\n`,
  );
  console.log(table(measured, column));
  console.log(`\n${latencyTable(measured)}`);
  if (values.svg !== undefined) writeFileSync(values.svg, chart(measured));
  if (values.curves) {
    for (const curve of curves) {
      console.log(`\n${curveTable(curve, await measure(curve.rows, ["memwire"], place))}`);
    }
  }
} finally {
  redis?.stop();
  for (const folder of [compiled, compiledBase]) rmSync(folder, { recursive: true, force: true });
  await Promise.all(servers.map((server) => server.stop()));
}
process.exit(0);

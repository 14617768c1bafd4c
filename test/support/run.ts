/**
 * The test command: `npm test`, `deno task test`, `bun run test`.
 *
 *     npm test                                   type check, then all tests in the Node at hand
 *     npm test -- test/session test/house/imports.test.ts      some folders or files
 *     npm test -- --runtime deno                 or bun, or the path of a node, deno or bun
 *     npm test -- --no-types                     without the type check
 *     npm test -- --limit 60                     seconds until a run that hangs is ended; 240
 *
 * Tests are `test/<folder>/<name>.test.ts`, on node:test and node:assert, one suite for Node 20 and
 * newer, Deno and Bun. `test/bench` and `test/examples` are no tests. What all three have, and so
 * what tests may use: `test`, `t.test`, `describe`, `it`, `before`, `after`, `beforeEach`,
 * `afterEach`, `t.after`, `t.diagnostic`, `t.mock`, the `timeout` option, `await using`. What tests
 * must know:
 *
 * - Bun runs all files in one process: undo what you do to `process.env` or to globals (`t.after`),
 *   and keep `before` and `beforeEach` inside a `describe`.
 * - `t.assert.snapshot` and `tracingChannel().hasSubscribers` are missing in Bun.
 * - `t.after` hooks run in the order in which they were set, so what was opened first is closed
 *   first; `await using` closes the other way round, and before any of them.
 * - Nothing is ever skipped: a test that needs a server starts one (memcached.ts,
 *   scripted_server.ts, fault_proxy.ts) and stops it in `t.after`.
 * - Under Node a file that leaves something open fails (leak_check.ts).
 * - After the run all processes that tests have started are killed.
 */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { connect } from "node:net";
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { findOrInstallMemcached, findProgram, givenServers } from "./find_memcached.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** ms for one test, and in Node 20 for one file. */
const TEST_LIMIT = 120_000;
const NOT_TESTS = ["bench", "examples", "support"];

process.chdir(ROOT);
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runtime: { type: "string", default: process.execPath },
    "no-types": { type: "boolean", default: false },
    limit: { type: "string", default: "240" },
  },
});
try {
  if (!values["no-types"]) checkTypes();
  await provideMemcached();
  process.exitCode = await run(testCommand(values.runtime, findTests(positionals)));
} catch (error) {
  console.error(`\n${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}

function checkTypes(): void {
  const compiler = "node_modules/typescript/bin/tsc";
  if (!existsSync(compiler)) throw new Error("Run `npm install` first: typescript is missing.");
  const permissions = "deno" in process.versions ? ["run", "-A"] : [];
  const { status } = spawnSync(process.execPath, [...permissions, compiler, "--noEmit"], {
    stdio: "inherit",
  });
  if (status !== 0) throw new Error("The type check failed.");
  console.log("Types are right.");
}

/** Makes sure that there are servers before a test asks, and that all tests take the same program. */
async function provideMemcached(): Promise<void> {
  for (const address of givenServers()) await mustAnswer(address);
  const { kind, path } = findOrInstallMemcached(console.log);
  if (kind === "program") process.env["MEMCACHED"] = path;
  const version = spawnSync(path, kind === "program" ? ["-V"] : ["--version"], {
    encoding: "utf8",
  });
  console.log(`Servers: ${path} (${version.stdout.trim()})`);
}

function mustAnswer(address: string): Promise<void> {
  const [, host, port] = /^\[?(.+?)\]?(?::(\d+))?$/.exec(address) ?? [];
  const socket = address.startsWith("unix:")
    ? connect(address.slice("unix:".length))
    : connect(Number(port ?? 11211), host);
  return new Promise<void>((resolve, reject) => {
    const fail = (): void =>
      reject(new Error(`$MEMCACHED_SERVERS names ${address}, and no memcached answers there.`));
    socket.once("data", () => resolve()).once("error", fail).once("close", fail);
    socket.setTimeout(3_000, fail);
    socket.write("version\r\n");
  }).finally(() => socket.destroy());
}

function findTests(asked: readonly string[]): string[] {
  const folders = readdirSync("test").filter((name) => !NOT_TESTS.includes(name));
  const wanted = asked.length > 0 ? asked : folders.map((name) => join("test", name));
  const files = wanted.flatMap((path) => {
    if (!existsSync(path)) throw new Error(`There is no ${path}.`);
    return statSync(path).isFile() ? [path] : readdirSync(path).map((name) => join(path, name));
  });
  const tests = files.filter((file) => file.endsWith(".test.ts")).sort();
  if (tests.length === 0) throw new Error(`No tests in ${wanted.join(", ")}.`);
  return tests;
}

function testCommand(runtime: string, files: readonly string[]): readonly string[] {
  const path = findProgram(runtime);
  if (path === undefined) throw new Error(`There is no program ${runtime}.`);
  const name = basename(path);
  if (name.startsWith("deno")) {
    return [path, "test", "-A", "--no-check", ...files];
  }
  if (name.startsWith("bun")) {
    return [path, "test", "--timeout", String(TEST_LIMIT), ...files.map((file) => `./${file}`)];
  }
  const version = execFileSync(path, ["-p", "process.versions.node"], { encoding: "utf8" });
  const types = Number.parseInt(version) < 24 ? ["--import", "tsx"] : []; // 24 has `await using`
  const support = (file: string): string => `./test/support/${file}`;
  const report = ["--test-reporter", support("reporter.js"), "--test-reporter-destination=stdout"];
  const load = [...types, "--import", support("leak_check.ts")];
  return [path, ...load, ...report, `--test-timeout=${TEST_LIMIT}`, "--test", ...files];
}

/** Runs it in a process group of its own, of which nothing is left afterwards. */
async function run([program = "", ...args]: readonly string[]): Promise<number> {
  const limit = Number(values.limit);
  console.log(`Tests: ${program} ${args.filter((arg) => !arg.endsWith(".test.ts")).join(" ")}\n`);
  const env = process.stdout.isTTY ? process.env : { ...process.env, NO_COLOR: "1" };
  const child = spawn(program, args, {
    stdio: ["ignore", "inherit", "inherit"],
    detached: true,
    env,
  });
  const killGroup = (): void => {
    try {
      process.kill(-(child.pid as number), "SIGKILL");
    } catch {
      // Nobody is left.
    }
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      killGroup();
      process.exit(130);
    });
  }
  const timer = setTimeout(() => {
    console.error(`\nHANGS: the tests did not end within ${limit} s and were killed.`);
    killGroup();
  }, limit * 1000);
  const code = await new Promise<number | null>((done, reject) => {
    child.once("error", reject).once("exit", done);
  });
  clearTimeout(timer);
  killGroup();
  return code ?? 1;
}

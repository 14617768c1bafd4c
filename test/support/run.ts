/**
 * The test command: `npm test`, `deno task test`, `bun run test`. USAGE below says what it takes.
 *
 * Tests are `test/<folder>/<name>.test.ts`, on node:test and node:assert, one suite for Node 20 and
 * newer, Deno and Bun. What all three have, and so what tests may use: `test`, `t.test`,
 * `describe`, `it`, `before`, `after`, `beforeEach`, `afterEach`, `t.after`, `t.diagnostic`,
 * `t.mock`, the `timeout` option, `await using`. What tests must know:
 *
 * - Several files run at once, each in a process of its own (test_process.ts).
 * - `t.assert.snapshot` and `tracingChannel().hasSubscribers` are missing in Bun.
 * - `t.after` hooks run in the order in which they were set, so what was opened first is closed first.
 *   `await using` closes in the reverse order, before any of these hooks.
 * - Nothing is ever skipped: a test that needs a server starts one (memcached.ts,
 *   scripted_server.ts, fault_proxy.ts) and stops it in `t.after`.
 * - Under Node a file that leaves something open fails (leak_check.ts).
 * - What a file prints is shown only if it fails, or if it is the only one.
 * - A file that fails beside others is run once more, alone. If it passes then, the run names it.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { availableParallelism } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { findMemcached, givenServers } from "./find_memcached.ts";
import { GROUP_NAMES, provide } from "./programs.ts";
import { findTestFiles } from "./test_files.ts";
import { type FileResult, findRuntime, runTestFile } from "./test_process.ts";

const USAGE =
  `npm test                                type check, then all tests in the Node at hand
npm test -- test/session                some folders or files
npm test -- --name "regenerate"         tests whose name contains this
npm test -- --runtime deno              or bun, or the path of a node, deno or bun
npm test -- --no-types                  without the type check
npm test -- --limit 60                  seconds until a file that hangs is ended; 120
npm test -- --install chromium          only installs programs (as root on Debian or Ubuntu):
                                        ${GROUP_NAMES.join(", ")}`;

const FLAGS = {
  runtime: { type: "string", default: process.execPath },
  name: { type: "string" },
  "no-types": { type: "boolean", default: false },
  limit: { type: "string", default: "120" },
  install: { type: "string", multiple: true },
  help: { type: "boolean", default: false },
} as const;

// A machine that others use stops for a while now and then, and a test that meets a timeout then tells nothing about
// memwire. So if so few files fail, each is run once more, alone. What passes then is named, since it may be a race of
// ours all the same.
const MOST_AGAIN = 3;

process.chdir(fileURLToPath(new URL("../..", import.meta.url)));
process.on("SIGINT", () => process.exit(130)).on("SIGTERM", () => process.exit(143));
try {
  process.exitCode = await main();
} catch (error) {
  console.error(`\n${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}

async function main(): Promise<number> {
  const { values, positionals } = readCommandLine();
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if (values.install !== undefined) {
    provide(values.install, console.log);
    return 0;
  }
  const limit = Number(values.limit);
  if (!(limit > 0)) throw new Error(`--limit is ${values.limit}, expected a number of seconds.`);
  const files = findTestFiles(positionals, values.name);
  const runtime = findRuntime(values.runtime);
  provide(["tests"], console.log);
  for (const address of givenServers()) await mustAnswer(address);
  if (!values["no-types"]) checkTypes();
  console.log(`Servers: ${memcachedVersion()}\nTests: ${files.length} files in ${runtime.path}\n`);

  const results: FileResult[] = [];
  const waiting = files.values();
  const work = async (): Promise<void> => {
    for (const file of waiting) {
      const show = files.length === 1;
      const result = await runTestFile(runtime, file, { name: values.name, limit, show });
      results.push(result);
      report(result, show);
    }
  };
  // Many tests wait for a deadline or a server, so one file more than there are cores keeps the cores busy.
  await Promise.all(Array.from({ length: availableParallelism() + 1 }, work));
  const unsteady: string[] = [];
  for (const [i, { file, ok }] of results.entries()) {
    if (ok || files.length === 1 || results.filter((each) => !each.ok).length > MOST_AGAIN) {
      continue;
    }
    console.log(`\nOnce more, alone: ${file}`);
    const again = await runTestFile(runtime, file, { name: values.name, limit, show: false });
    report(again, false);
    if (!again.ok) continue;
    unsteady.push(file);
    results[i] = again;
  }
  return summarize(results, unsteady);
}

type CommandLine = ReturnType<
  typeof parseArgs<{ allowPositionals: true; options: typeof FLAGS }>
>;

function readCommandLine(): CommandLine {
  try {
    return parseArgs({ allowPositionals: true, options: FLAGS });
  } catch (error) {
    throw new Error(`${(error as Error).message}\n\n${USAGE}`);
  }
}

function report({ file, ok, passed, seconds, output }: FileResult, shown: boolean): void {
  if (!ok && !shown) console.log(`\n${output.trim().replace(/^/gm, "    ")}\n`);
  console.log(`${ok ? "ok  " : "FAIL"} ${file}  ${passed} passed, ${seconds.toFixed(1)} s`);
}

function summarize(results: readonly FileResult[], unsteady: readonly string[]): number {
  const bad = results.filter(({ ok }) => !ok);
  const passed = results.reduce((sum, result) => sum + result.passed, 0);
  const failed = results.reduce((sum, result) => sum + result.failed, 0);
  if (unsteady.length > 0) console.log(`\nPassed only alone:\n  ${unsteady.join("\n  ")}`);
  if (bad.length > 0) console.log(`\nFailed:\n${bad.map(({ file }) => `  ${file}`).join("\n")}`);
  console.log(`\n${passed} passed, ${failed} failed`);
  if (passed + failed === 0) console.error("No test has run.");
  return passed > 0 && failed === 0 ? 0 : 1;
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

/** Describes the memcached, with its version, from which all tests start their servers. */
function memcachedVersion(): string {
  const found = findMemcached();
  if (found === undefined) throw new Error("No memcached was found.");
  const { kind, path } = found;
  if (kind === "program") process.env["MEMCACHED"] = path;
  const { stdout } = spawnSync(path, [kind === "program" ? "-V" : "--version"], {
    encoding: "utf8",
  });
  return `${path} (${stdout.trim()})`;
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

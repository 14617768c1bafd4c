/**
 * Runs one test file as a separate process, in Node, Deno or Bun.
 *
 * Each file has its own process. So it cannot change the environment, the globals or the event loop of others,
 * a file that hangs is ended and named, and several can run at once.
 */
import { execFileSync, spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import process from "node:process";
import { findProgram } from "./find_memcached.ts";

/** The result of one file. */
export interface FileResult {
  readonly file: string;
  readonly ok: boolean;
  readonly passed: number;
  readonly failed: number;
  readonly seconds: number;
  /** Everything that it printed. */
  readonly output: string;
}

/** A program that runs test files. */
export interface TestRuntime {
  readonly path: string;
  /** Returns the arguments for one file. `name`: only tests whose name contains it. */
  readonly args: (file: string, name: string | undefined) => readonly string[];
  /** Reads the counts from the end of its output. */
  readonly passed: RegExp;
  readonly failed: RegExp;
}

/** The process groups that run now. They are killed with this process. */
const groups = new Set<number>();
process.on("exit", () => groups.forEach(killGroup));

/** Returns the runtime of this name or path: `node`, `deno`, `bun`, or the path of one. */
export function findRuntime(asked: string): TestRuntime {
  const path = findProgram(asked);
  if (path === undefined) throw new Error(`There is no program ${asked}.`);
  const name = basename(path);
  if (name.startsWith("deno")) {
    // Deno's --filter sees only the outermost names, so a file that can have the name runs whole.
    const args = (file: string): string[] => ["test", "-A", "--no-check", file];
    return {
      path,
      args,
      passed: /\| (\d+) passed(?: \((\d+) steps?\))?/,
      failed: /\| (\d+) failed/,
    };
  }
  if (name.startsWith("bun")) {
    const args = (file: string, name?: string): string[] => {
      const filter = name === undefined ? [] : ["-t", literal(name)];
      return ["test", "--timeout", "120000", ...filter, resolve(file)];
    };
    return { path, args, passed: /^ *(\d+) pass$/m, failed: /^ *(\d+) fail$/m };
  }
  const version = execFileSync(path, ["-p", "process.versions.node"], { encoding: "utf8" });
  const types = Number.parseInt(version) < 24 ? ["--import", "tsx"] : []; // 24 has `await using`
  const args = (file: string, name?: string): string[] => {
    const filter = name === undefined ? [] : [`--test-name-pattern=${literal(name)}`];
    const report = [
      "--test-reporter=./test/support/reporter.js",
      "--test-reporter-destination=stdout",
    ];
    return [...types, "--import", "./test/support/leak_check.ts", ...report, ...filter, file];
  };
  return { path, args, passed: /^# pass (\d+)$/m, failed: /^# fail (\d+)$/m };
}

/**
 * Runs one file to its end, and leaves no process of it behind.
 *
 * @param limit Seconds after which it is ended as hanging.
 * @param show Whether its output is printed at once, besides being collected.
 */
export async function runTestFile(
  { path, args, passed, failed }: TestRuntime,
  file: string,
  { name, limit, show }: { name: string | undefined; limit: number; show: boolean },
): Promise<FileResult> {
  const begun = performance.now();
  const child = spawn(path, args(file, name), {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true, // in a process group of its own, so that the whole group can be killed afterwards
    // Node 24 needs half of the time to load files that it has compiled before.
    env: { NODE_COMPILE_CACHE: join(tmpdir(), "memwire-compiled"), ...process.env, NO_COLOR: "1" },
  });
  const group = child.pid;
  if (group !== undefined) groups.add(group);
  let output = "";
  for (
    const [stream, own] of [[child.stdout, process.stdout], [child.stderr, process.stderr]] as const
  ) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      if (show) own.write(text);
    });
  }
  const timer = setTimeout(() => {
    output += `\nHANGS: it did not end within ${limit} s and was killed.\n`;
    if (group !== undefined) killGroup(group);
  }, limit * 1000);
  const code = await new Promise<number | null>((done) => {
    child.once("error", (error) => {
      output += `${path}: ${error.message}\n`;
      done(null);
    });
    child.once("exit", () => group !== undefined && killGroup(group));
    child.once("close", done);
  });
  clearTimeout(timer);
  if (group !== undefined) groups.delete(group);
  const failures = count(failed, output);
  const passes = count(passed, output);
  const ok = code === 0 && failures === 0;
  // A process that failed outside its tests (it leaked, or did not load) counts as one failure.
  return {
    file,
    ok,
    passed: passes,
    failed: ok ? 0 : Math.max(failures, 1),
    seconds: (performance.now() - begun) / 1000,
    output,
  };
}

function count(pattern: RegExp, output: string): number {
  const groups = pattern.exec(output)?.slice(1) ?? [];
  return groups.reduce((sum, text) => sum + Number(text ?? 0), 0);
}

/** Returns a pattern that matches this text and nothing else. */
function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody is left.
  }
}

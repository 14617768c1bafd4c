/** Runs a script as a separate process, in the runtime that runs the test. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";

/** How a script ended. */
export interface ChildResult {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  /** How long it ran, in ms. */
  readonly ms: number;
}

/** How to run a script. */
export interface ChildOptions {
  readonly args?: readonly string[];
  /** The limit of its heap. Bun has no such option, so it has no limit there. */
  readonly heapMegabytes?: number;
  /** After how many ms it is killed. Default 60,000. */
  readonly limit?: number;
}

/** Runs a TypeScript file, by its URL, to its end. */
export async function runInChild(file: URL, options: ChildOptions = {}): Promise<ChildResult> {
  const { args = [], heapMegabytes, limit = 60_000 } = options;
  const start = performance.now();
  const child = spawn(process.execPath, [
    ...runtimeArguments(heapMegabytes),
    file.pathname,
    ...args,
  ], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const timer = setTimeout(() => process.kill(child.pid as number, "SIGKILL"), limit);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => stdout += text);
  child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text);
  const [code, signal] = await once(child, "close") as [number | null, string | null];
  clearTimeout(timer);
  return { code, signal, stdout, stderr, ms: performance.now() - start };
}

/** Runs a script, and parses its output as JSON. */
export async function askChild<T>(file: URL, options?: ChildOptions): Promise<T> {
  const { code, signal, stdout, stderr } = await runInChild(file, options);
  assert.equal(code, 0, `${file.pathname} ended by ${signal ?? code}: ${stderr}${stdout}`);
  return JSON.parse(stdout) as T;
}

/** The arguments before the path of a TypeScript file, in a command of the runtime that runs this. */
export function runtimeArguments(heapMegabytes?: number): string[] {
  const { deno, bun, node } = process.versions as Record<string, string | undefined>;
  const limit = `--max-old-space-size=${heapMegabytes}`;
  if (bun !== undefined) return [];
  if (deno !== undefined) {
    return [
      "run",
      "-A",
      "--no-check",
      ...(heapMegabytes === undefined ? [] : [`--v8-flags=${limit}`]),
    ];
  }
  const types = Number.parseInt(node as string) < 24 ? ["--import", "tsx"] : [];
  return [...types, ...(heapMegabytes === undefined ? [] : [limit])];
}

/**
 * Runs our test programs as separate processes, in this runtime or in another.
 *
 * `$MEMWIRE_RUNTIMES` names the runtimes: paths of a node, a deno, a bun..., separated by colons. .ci/run sets
 * it, and a run for which it is set fails if one of the three kinds is missing there. If it is not set, the
 * runtimes are this one and those of node, node24, deno and bun that are on PATH.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { basename } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type Environment, findProgram } from "../support/find_memcached.ts";

/** How long a program may take to end after its input has ended, in ms. */
const END_LIMIT = 10_000;

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A runtime that can run a TypeScript file. */
export interface Runtime {
  readonly path: string;
  readonly kind: "node" | "deno" | "bun";
}

/** The runtimes to test, each once, this one first. */
export function findRuntimes(env: Environment = process.env): Runtime[] {
  const given = (env["MEMWIRE_RUNTIMES"] ?? "").split(":").filter(Boolean);
  const named = given.map((path) => {
    const found = findProgram(path);
    if (found === undefined) throw new Error(`$MEMWIRE_RUNTIMES names ${path}: not a program`);
    return found;
  });
  const found = ["node", "node24", "deno", "bun"].map((name) => findProgram(name));
  const paths = [process.execPath, ...(given.length > 0 ? named : found)];
  const runtimes = [...new Set(paths)].filter((path) => path !== undefined).map(runtimeOf);
  for (const kind of ["node", "deno", "bun"]) {
    if (given.length > 0 && !runtimes.some((runtime) => runtime.kind === kind)) {
      throw new Error(`$MEMWIRE_RUNTIMES names no ${kind}`);
    }
  }
  return runtimes;
}

/** The runtime that this runs in. */
export function thisRuntime(): Runtime {
  return runtimeOf(process.execPath);
}

/** A process that reads and writes lines, each a value in JSON. */
export class Program implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #errors = "";

  constructor(runtime: Runtime, file: string, args: readonly string[]) {
    const child = spawn(runtime.path, [...launchArguments(runtime), file, ...args], {
      cwd: ROOT,
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, NO_COLOR: "1" },
    });
    this.#child = child;
    child.stderr.setEncoding("utf8").on("data", (text: string) => this.#errors += text);
    child.stdin.on("error", () => {}); // it has died: `ask` tells
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** Sends a value; resolves to the next one that comes. */
  async ask<T>(question: unknown): Promise<T> {
    this.#child.stdin?.write(`${JSON.stringify(question)}\n`);
    return await this.next<T>();
  }

  /** The next value that comes. */
  async next<T>(): Promise<T> {
    const { done, value } = await this.#lines.next();
    if (done) throw new Error(`the process has ended: ${this.#errors}`);
    return JSON.parse(value) as T;
  }

  /** Ends its input, and waits until it has ended by itself; it is killed if that takes too long. */
  async end(): Promise<void> {
    const child = this.#child;
    const gone = child.exitCode === null && child.signalCode === null ? once(child, "exit") : null;
    child.stdin?.end();
    const timer = setTimeout(() => child.kill("SIGKILL"), END_LIMIT);
    await gone;
    clearTimeout(timer);
    if (child.exitCode !== 0) throw new Error(`the process has failed: ${this.#errors}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}

/** Starts one of the programs of this folder. */
export function startProgram(runtime: Runtime, name: string, ...args: string[]): Program {
  return new Program(runtime, fileURLToPath(new URL(name, import.meta.url)), args);
}

/** For use inside a program: answers each line with what `answer` returns for it, until the input ends. */
export async function serveLines(answer: (question: never) => unknown): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const result = await answer(JSON.parse(line) as never);
    process.stdout.write(`${JSON.stringify(result ?? null)}\n`);
  }
}

function runtimeOf(path: string): Runtime {
  const name = basename(path);
  const kind = name.startsWith("deno") ? "deno" : name.startsWith("bun") ? "bun" : "node";
  return { path, kind };
}

function launchArguments({ path, kind }: Runtime): readonly string[] {
  if (kind === "deno") return ["run", "-A", "--no-check", "--quiet"];
  if (kind === "bun") return ["run"];
  const version = execFileSync(path, ["-p", "process.versions.node"], { encoding: "utf8" });
  return Number.parseInt(version) < 24 ? ["--import", "tsx"] : []; // 24 takes types off by itself
}

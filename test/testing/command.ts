/** Runs the command `memwire`, in the runtime that runs the test. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { fileURLToPath } from "node:url";

const CLI = fileURLToPath(new URL("../../src/testing/cli.ts", import.meta.url));

/** Starts the command. */
export function memwire(...args: string[]): ChildProcess {
  return runModule(CLI, ...args);
}

/** Starts a process that runs a TypeScript file, in the runtime that runs the test. */
export function runModule(file: string, ...args: string[]): ChildProcess {
  const { deno, bun } = process.versions as Record<string, string | undefined>;
  const readsTypeScript = bun !== undefined || Boolean(process.features.typescript);
  const runtime = deno !== undefined
    ? ["run", "-A", "--no-check"]
    : readsTypeScript
    ? []
    : ["--import", "tsx"];
  return spawn(process.execPath, [...runtime, file, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** The output and the exit code of a command. */
export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Resolves when a command has ended. */
export async function ended(child: ChildProcess): Promise<Ended> {
  let out = "";
  let err = "";
  child.stdout!.setEncoding("utf8").on("data", (text: string) => out += text);
  child.stderr!.setEncoding("utf8").on("data", (text: string) => err += text);
  const [code] = await once(child, "close") as [number | null];
  return { code, out, err };
}

/** Resolves with the address that `memwire serve` prints when it listens. */
export async function addressOf(child: ChildProcess): Promise<string> {
  const [line] = await once(child.stdout!.setEncoding("utf8"), "data") as [string];
  const told = /^memwire: embedded memcached, for development, on (127\.0\.0\.1:\d+)\n$/.exec(line);
  if (told === null) throw new Error(`not an address: ${line}`);
  return told[1] as string;
}

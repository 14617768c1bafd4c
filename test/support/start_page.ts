/**
 * Runs `npm start -- --serve` as a separate process, in the runtime that runs this.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runtimeArguments } from "./child.ts";

/** Which memcached servers the page starts. */
export type Servers = "real" | "embedded";

const MAIN = fileURLToPath(new URL("../examples/sessions/main.ts", import.meta.url));
/** How long it may take to start on a busy machine, in ms. */
const LIMIT = 60_000;

/** A page that is being served. */
export interface StartedPage extends AsyncDisposable {
  readonly url: string;
  /** Ends it by SIGTERM. Resolves to its exit code, or null if it had to be killed. */
  stop(): Promise<number | null>;
}

/** Starts it, and resolves when the page answers. */
export async function startPage(servers: Servers): Promise<StartedPage> {
  // With a PATH that leads nowhere, neither memcached nor Docker is found.
  const hidden = servers === "embedded" ? { PATH: "/nowhere", MEMCACHED: "" } : {};
  const child = spawn(process.execPath, [...runtimeArguments(), MAIN, "--serve"], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...hidden },
  });
  const exited = once(child, "exit") as Promise<[number | null]>;
  let output = "";
  const url = await new Promise<string>((resolve, reject) => {
    const fail = (): void => reject(new Error(`the page did not start: ${output}`));
    const timer = setTimeout(fail, LIMIT);
    exited.then(fail);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
        const [, found] = /Open (http:\S+) in a browser/.exec(output) ?? [];
        if (found === undefined) return;
        clearTimeout(timer);
        resolve(found);
      });
    }
  }).catch((error) => {
    child.kill("SIGKILL");
    throw error;
  });
  const stop = async (): Promise<number | null> => {
    const signal = (name: NodeJS.Signals): void => {
      // Not child.kill, which in Deno takes any signal for the end of the process.
      if (child.exitCode === null && child.signalCode === null) {
        process.kill(child.pid as number, name);
      }
    };
    const timer = setTimeout(signal, 10_000, "SIGKILL");
    signal("SIGTERM");
    const [code] = await exited;
    clearTimeout(timer);
    return code;
  };
  return { url, stop, [Symbol.asyncDispose]: async () => void await stop() };
}

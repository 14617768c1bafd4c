/**
 * Starts application servers, each as a separate process, in the runtime that runs this.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A running application server. */
export interface Application {
  readonly name: string;
  /** "http://127.0.0.1:port". */
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts an application server, and waits until it listens. */
export async function startApplication(
  name: string,
  servers: readonly string[],
): Promise<Application> {
  const child = spawn(process.execPath, [...runtimeArguments(), name, servers.join()], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const port = await Promise.race([
    once(createInterface(child.stdout), "line").then(([line]) => line as string),
    exited.then(() => {
      throw new Error(`application ${name} did not start`);
    }),
  ]);
  const stop = async (): Promise<void> => {
    child.stdin.end(); // it serves until its standard input ends, so it never outlives this process
    await exited;
  };
  return { name, url: `http://127.0.0.1:${port}`, stop };
}

function runtimeArguments(): string[] {
  const path = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
  const application = path("application.ts");
  if ("deno" in process.versions) return ["run", "-A", application];
  if ("bun" in process.versions) return [application];
  return [path("../../support/launch.js"), application];
}

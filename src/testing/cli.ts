#!/usr/bin/env node
/**
 * The command `memwire`: `memwire serve --port 11211` starts an embedded memcached by hand.
 *
 * @example
 * ```sh
 * npx memwire serve --port 11211
 * ```
 *
 * @module
 */
import process from "node:process";
import { clearInterval, setInterval } from "node:timers";
import { parseCommandLine, USAGE } from "./cli_options.ts";
import type { MemcachedServerOptions } from "./options.ts";
import { MemcachedServer } from "./server.ts";

/** Exit codes: a failure, and a command line that makes no sense. */
const FAILED = 1;
const MISUSED = 2;

const request = parseCommandLine(process.argv.slice(2));
switch (request.kind) {
  case "help":
    process.stdout.write(USAGE);
    break;
  case "mistake":
    process.stderr.write(`memwire: ${request.message}\n\n${USAGE}`);
    process.exitCode = MISUSED;
    break;
  case "serve":
    await serve(request.options);
}

async function serve(options: MemcachedServerOptions): Promise<void> {
  let server: MemcachedServer;
  try {
    server = await MemcachedServer.start(options);
  } catch (error) {
    process.stderr.write(`memwire: ${(error as Error).message}\n`);
    process.exitCode = FAILED;
    return;
  }
  // The server itself keeps no process alive.
  const awake = setInterval(() => {}, 2 ** 31 - 1);
  process.stdout.write(`memwire: embedded memcached, for development, on ${server.address}\n`);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      clearInterval(awake);
      server.stop();
    });
  }
}

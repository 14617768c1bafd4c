#!/usr/bin/env node
/**
 * The command `memwire`. `memwire serve --port 11211` starts an embedded memcached by hand. It takes
 * memcached's own options as far as they mean something here, so that it can replace `memcached` in a script.
 *
 * @example
 * ```sh
 * npx memwire serve --port 11211 -m 64 -M
 * ```
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import process from "node:process";
import { clearInterval, setInterval } from "node:timers";
import { parseCommandLine, parseUsers, type ServeOptions, USAGE } from "./cli_options.ts";
import { type CheckedOptions, checkOptions } from "./options.ts";
import { type MemcachedServer, startChecked } from "./server.ts";
import { where, type WhereOptions } from "./where.ts";

/** The exit codes for a failure and for a command line that makes no sense. */
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
  case "where":
    tell(request.options);
    break;
  case "serve":
    await serve(request.options);
}

function tell(options: WhereOptions): void {
  try {
    process.stdout.write(where(options));
  } catch (error) {
    process.stderr.write(`memwire: ${(error as Error).message}\n`);
    process.exitCode = MISUSED;
  }
}

async function serve(options: ServeOptions): Promise<void> {
  let server: MemcachedServer;
  try {
    server = await startChecked(await readFiles(options));
  } catch (error) {
    process.stderr.write(`memwire: ${(error as Error).message}\n`);
    process.exitCode = FAILED;
    return;
  }
  // The server itself does not keep the process alive.
  const awake = setInterval(() => {}, 2 ** 31 - 1);
  process.stdout.write(`memwire: embedded memcached, for development, on ${server.address}\n`);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      clearInterval(awake);
      server.stop();
    });
  }
}

async function readFiles(
  { authFile, tlsFiles, ...options }: ServeOptions,
): Promise<CheckedOptions> {
  const tls = tlsFiles && {
    cert: await readFile(tlsFiles.cert),
    key: await readFile(tlsFiles.key),
  };
  const checked = checkOptions({ ...options, tls });
  if (authFile === undefined) return checked;
  const users = parseUsers(await readFile(authFile, "latin1"));
  return { ...checked, settings: { ...checked.settings, users } };
}

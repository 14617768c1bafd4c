/** What is written behind `memwire` on a command line. */
import { parseArgs } from "node:util";
import { DEFAULT_PORT } from "../address.ts";
import type { MemcachedServerOptions } from "./options.ts";

/** What the command prints about itself. */
export const USAGE: string = `Usage: memwire serve [options]

Starts a memcached in this process, for development and tests: nothing is kept when it stops.

  -p, --port <number>      TCP port, 0 for a free one (default ${DEFAULT_PORT})
  -l, --listen <host>      interface to listen on (default 127.0.0.1)
  -s, --unix-socket <path> unix socket, instead of port and interface
  -m, --memory-limit <MB>  memory for items, in megabytes (default 64)
  -I, --max-item-size <n>  largest item, in bytes or with k or m (default 1m)
  -h, --help               this help
`;

/** What a command line asks for. */
export type CliRequest =
  | { readonly kind: "serve"; readonly options: MemcachedServerOptions }
  | { readonly kind: "help" }
  | { readonly kind: "mistake"; readonly message: string };

const MEGABYTE = 1024 * 1024;

/** Reads the arguments after the program's name; the option names are memcached's own. */
export function parseCommandLine(args: readonly string[]): CliRequest {
  let parsed;
  try {
    parsed = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        port: { type: "string", short: "p" },
        listen: { type: "string", short: "l" },
        "unix-socket": { type: "string", short: "s" },
        "memory-limit": { type: "string", short: "m" },
        "max-item-size": { type: "string", short: "I" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    return mistake((error as Error).message);
  }
  const { values, positionals } = parsed;
  if (values.help === true || args.length === 0) return { kind: "help" };
  if (positionals.length !== 1 || positionals[0] !== "serve") {
    return mistake(`expected the command "serve", not "${positionals.join(" ")}"`);
  }

  const { "unix-socket": path, listen, port } = values;
  const memory = wholeNumber(values["memory-limit"] ?? "64");
  const item = size(values["max-item-size"] ?? "1m");
  if (path !== undefined && (port !== undefined || listen !== undefined)) {
    return mistake("--unix-socket goes without --port and --listen");
  }
  const number = wholeNumber(port ?? String(DEFAULT_PORT));
  if (number === undefined || number > 65_535) return mistake(`--port ${port} is no port`);
  if (!memory) return mistake(`--memory-limit ${values["memory-limit"]} is no number of megabytes`);
  if (item === undefined || item < 1024 || item > 1024 * MEGABYTE) {
    return mistake(`--max-item-size ${values["max-item-size"]} is not from 1k to 1024m`);
  }
  const limits = { memoryLimit: memory * MEGABYTE, maxItemSize: item };
  const where = path === undefined ? { port: number, host: listen ?? "127.0.0.1" } : { path };
  return { kind: "serve", options: { ...where, ...limits } };
}

function mistake(message: string): CliRequest {
  return { kind: "mistake", message };
}

function wholeNumber(text: string): number | undefined {
  return /^[0-9]{1,9}$/.test(text) ? Number(text) : undefined;
}

function size(text: string): number | undefined {
  const parts = /^([0-9]{1,10})([km]?)$/i.exec(text);
  if (parts === null) return undefined;
  const unit =
    { "": 1, k: 1024, m: MEGABYTE }[(parts[2] as string).toLowerCase() as "" | "k" | "m"];
  return Number(parts[1]) * unit;
}

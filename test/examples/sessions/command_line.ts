/**
 * The command line of `npm start`.
 */
import { parseArgs } from "node:util";

/** Printed by --help, and after an error. */
export const USAGE: string =
  `Usage: npm start [-- OPTIONS]     deno task start [OPTIONS]     bun run start [OPTIONS]

Sessions that two web applications share through three memcached servers. Without options, walks a
visitor through them in the terminal, and ends.

  --serve        keep them up, with a page for a browser, until Ctrl-C
  --port NUMBER  the page's port, with --serve; default: one that is free
  --help         this
`;

/** The options that were given. */
export interface Wish {
  readonly help: boolean;
  readonly serve: boolean;
  /** The port; 0: a free one. */
  readonly port: number;
}

/** Reads the arguments. Throws an Error that says what is wrong with them. */
export function readCommandLine(args: readonly string[]): Wish {
  const { values } = parseArgs({
    args: [...args],
    options: {
      serve: { type: "boolean", default: false },
      port: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const { serve, help, port = "0" } = values;
  if (values.port !== undefined && !serve) throw new Error("--port needs --serve");
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    throw new Error(`--port is ${JSON.stringify(port)}, not a number from 0 to 65535`);
  }
  return { serve, help, port: Number(port) };
}

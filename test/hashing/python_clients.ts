/**
 * The real Python clients, asked which server a key has: python-memcached, pymemcache and, through
 * pylibmc, libmemcached. Debian's packages python3-memcache, python3-pymemcache, python3-pylibmc.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { python } from "../support/programs.ts";
import type { HashingName } from "../../src/hashing/hashing.ts";

/** The presets whose real client can be asked. */
export type PythonClient = Extract<
  HashingName,
  "ketama" | "modula" | "rendezvous" | "python-memcached" | "python-memcached-1.59"
>;

/** A server as it is told to a Python client. */
export type PythonServer =
  & ({ readonly host: string; readonly port: number } | { readonly path: string })
  & { readonly weight: number; /** In python-memcached's list. */ readonly name: string };

/** What a client is asked. */
export interface Question {
  readonly client: PythonClient;
  readonly servers: readonly PythonServer[];
  readonly keys: readonly string[];
  /** For python-memcached: servers that do not connect, by index. */
  readonly dead: readonly number[];
}

/** python-memcached's search: whom it asked, and whom it took, if anyone. */
export interface Search {
  readonly asked: readonly number[];
  readonly server: number | null;
}

/** What a client says, by key; its own names for the servers where it has any. */
export interface Answer {
  readonly names?: readonly string[];
  readonly tries: readonly (number | Search)[];
}

const SCRIPT = fileURLToPath(new URL("./python_clients.py", import.meta.url));

/** Asks the real clients; throws if they cannot be asked. */
export function askPythonClients(questions: readonly Question[]): Answer[] {
  const { error, status, stdout, stderr } = spawnSync(python(), [SCRIPT], {
    input: JSON.stringify(questions),
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  if (error !== undefined || status !== 0) {
    throw new Error(`The real clients cannot be asked:\n${stderr ?? ""}`, { cause: error });
  }
  return JSON.parse(stdout) as Answer[];
}

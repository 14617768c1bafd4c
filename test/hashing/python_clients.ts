/**
 * Asks the real Python clients which server a key has: python-memcached, pymemcache and, through pylibmc,
 * libmemcached. Debian's packages are python3-memcache, python3-pymemcache and python3-pylibmc.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { python } from "../support/programs.ts";
import type { HashingName } from "../../src/hashing/hashing.ts";

/** The presets whose real client these tests can ask. */
export type PythonClient = Extract<
  HashingName,
  "ketama" | "modula" | "rendezvous" | "python-memcached" | "python-memcached-1.59"
>;

/** A server as a Python client gets it. */
export type PythonServer =
  & ({ readonly host: string; readonly port: number } | { readonly path: string })
  & { readonly weight: number; /** In python-memcached's list. */ readonly name: string };

/** What a client is asked. */
export interface Question {
  readonly client: PythonClient;
  readonly servers: readonly PythonServer[];
  readonly keys: readonly string[];
  /** The indexes of servers that do not connect, for python-memcached. */
  readonly dead: readonly number[];
}

/** python-memcached's search: which servers it tried, and which one it took, if any. */
export interface Search {
  readonly asked: readonly number[];
  readonly server: number | null;
}

/** A client's answers by key, and its own names for the servers if it has any. */
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

/** Commands for the people who run the servers: stats, flush_all, and the list of keys. */
import { readOptions } from "../checks/options.ts";
import { checkSignal, oneOf } from "../checks/values.ts";
import type { Server } from "../cluster/server.ts";
import { onAbort } from "../connection/abort.ts";
import type { AdminLimits } from "../connection/admin_connection.ts";
import { clearTimeout, setTimeout } from "../connection/clock.ts";
import { isAtLeast } from "../connection/handshake.ts";
import {
  asMemcachedError,
  ConnectionLostError,
  invalidRange,
  type MemcachedError,
  ProtocolError,
  ServerError,
  UnsupportedError,
} from "../errors.ts";
import { toExptime } from "../protocol/exptime.ts";
import { checkPrefix } from "../protocol/key.ts";
import type { Core } from "./core.ts";
import { Deadline } from "./deadline.ts";
import { type CallOptions, type CheckedOptions, checkedOptions } from "./options.ts";
import { partial } from "./partial.ts";
import { begin } from "./trace.ts";

/** What `stats` can be asked for. */
export type StatsKind = "items" | "slabs" | "settings" | "sizes" | "conns" | "reset";

/** Options of flushAll. */
export interface FlushOptions extends CallOptions {
  /** Seconds to wait before it happens. */
  delay?: number | undefined;
}

/** Options of keys. */
export interface KeysOptions {
  /** What the keys begin with, after the client's own prefix. */
  prefix?: string | undefined;
  signal?: AbortSignal | undefined;
}

const STATS_KINDS: readonly StatsKind[] = ["items", "slabs", "settings", "sizes", "conns", "reset"];

// `metadump hash` walks the hash table once, `all` each LRU; since 1.6.9 (doc/protocol.txt).
const DUMP_HASH_SINCE = [1, 6, 9] as const;

// Another dump is running: asked again after 100, 200... ms.
const MAX_BUSY = 6;
const BUSY_MS = 100;

type Limits = Pick<AdminLimits, "timeout" | "total" | "signal"> & { ambiguous?: boolean };

/** The statistics of each server, by id. */
export async function stats(
  core: Core,
  kind: StatsKind | undefined,
  options: CallOptions | undefined,
): Promise<Map<string, Record<string, string | number>>> {
  if (kind !== undefined) oneOf(kind, STATS_KINDS, "kind");
  const command = kind === undefined ? "stats" : `stats ${kind}`;
  const call = core.callOptions(options);
  return await onEach(core, "stats", call, async (server, { timeout, signal }) => {
    const limits = { timeout, total: true, signal };
    const found: Record<string, string | number> = {};
    const lines = answer(server, () => command, limits);
    for await (const line of lines) {
      if (line === "END" || line === "RESET") return found;
      const stat = /^STAT (\S+) ?(.*)$/.exec(line);
      if (stat === null) throw refusal(line, command, server);
      found[stat[1] as string] = readStat(stat[2] as string);
    }
    throw lost(server);
  });
}

/** Empties all servers. */
export async function flushAll(core: Core, options: FlushOptions | undefined): Promise<void> {
  const { delay: seconds, timeout, signal } = readOptions<FlushOptions>(options, {
    timeout: undefined,
    signal: undefined,
    delay: undefined,
  });
  const call = checkedOptions(timeout, signal, undefined, core.options.timeout);
  const delay = seconds === undefined ? 0 : toExptime(seconds, undefined, "delay");
  if (seconds === Infinity) throw invalidRange("delay must be a finite number of seconds");
  const command = delay === 0 ? "flush_all" : `flush_all ${delay}`;
  await onEach(core, "flushAll", call, async (server, { timeout }) => {
    const limits = { timeout, total: true, signal, ambiguous: true };
    for await (const line of answer(server, () => command, limits)) {
      if (line === "OK") return true;
      throw refusal(line, command, server);
    }
    throw lost(server);
  });
}

/** The keys that all servers hold now, roughly. */
export async function* keys(
  core: Core,
  options: KeysOptions | undefined,
): AsyncGenerator<string, void, void> {
  const { prefix: own, timeout } = core.options;
  const { prefix = "", signal } = readOptions<KeysOptions>(options, {
    prefix: undefined,
    signal: undefined,
  });
  const wanted = own + checkPrefix(prefix, "prefix");
  if (signal !== undefined) checkSignal(signal);
  core.checkOpen();
  await core.whenListed(new Deadline(core.sweep, timeout, signal));
  for (const server of core.cluster.servers) {
    const end = begin("keys", server.ref);
    let failed: unknown;
    try {
      for await (const key of dump(core, server, timeout, signal)) {
        // What has been received already is not handed out after an abort, nor after `close`.
        signal?.throwIfAborted();
        core.checkOpen();
        if (key.startsWith(wanted)) yield key.slice(own.length);
      }
    } catch (error) {
      failed = error;
      throw error;
    } finally {
      end(failed);
    }
  }
}

async function* dump(
  core: Core,
  server: Server,
  timeout: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<string, void, void> {
  const command = (version: string): string =>
    `lru_crawler metadump ${isAtLeast(version, DUMP_HASH_SINCE) ? "hash" : "all"}`;
  for (let tries = 0;; tries++) {
    core.checkOpen();
    let busy = false;
    for await (const line of answer(server, command, { timeout, total: false, signal })) {
      if (line === "END") return;
      if (line === "OK") continue; // leads the dump since 1.6.43
      if (line.startsWith("BUSY") && tries < MAX_BUSY) {
        busy = true;
        break;
      }
      const item = /^key=(\S+) exp=(-?\d+)/.exec(line);
      if (item === null) throw refusal(line, "lru_crawler metadump", server);
      const key = decodeKey(item[1] as string);
      const expires = Number(item[2]);
      const alive = expires === -1 || expires > Date.now() / 1000;
      if (key !== undefined && alive) yield key;
    }
    if (!busy) throw lost(server);
    await pause(BUSY_MS * 2 ** tries, core, signal);
  }
}

/** Waits; the signal and the end of the client end it at once, by an error. */
async function pause(ms: number, core: Core, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  const { closables } = core.cluster;
  let end = (): void => {};
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    const forget = signal === undefined ? undefined : onAbort(signal, reject);
    const closable = { close: reject };
    closables.add(closable);
    end = (): void => {
      clearTimeout(timer);
      forget?.();
      closables.delete(closable);
    };
  }).finally(() => end());
}

async function* answer(
  server: Server,
  command: (version: string) => string,
  limits: Limits,
): AsyncGenerator<string, void, void> {
  limits.signal?.throwIfAborted();
  yield* server.openAdmin({ ambiguous: false, ...limits }).ask(command);
}

function readStat(text: string): string | number {
  if (!/^-?(0|[1-9][0-9]*)$/.test(text)) return text;
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : text;
}

/** A dump writes keys with %XX, whatever bytes they have; undefined: not UTF-8. */
function decodeKey(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** The error for a line that is not part of the answer. */
function refusal(line: string, command: string, { ref: server }: Server): MemcachedError {
  const words = line.slice(0, 200);
  const message = `${server.address} answered ${command}: ${words}`;
  if (line.startsWith("SERVER_ERROR") || line.startsWith("BUSY")) {
    return new ServerError(message, { server });
  }
  if (/^(ERROR|CLIENT_ERROR)/.test(line)) return new UnsupportedError(message, { server });
  return new ProtocolError(`${server.address} answered ${command} with an unknown line`, {
    server,
  });
}

function lost({ ref: server }: Server): MemcachedError {
  return new ConnectionLostError(`${server.address} ended the answer too early`, { server });
}

/** Asks all servers at once; a PartialError if some failed, their own error if there is but one. */
async function onEach<R>(
  core: Core,
  operation: string,
  call: CheckedOptions,
  ask: (server: Server, left: CheckedOptions) => Promise<R>,
): Promise<Map<string, R>> {
  call.signal?.throwIfAborted();
  const results = new Map<string, R>();
  const errors = new Map<string, MemcachedError>();
  await core.run(call, (deadline) => {
    const left = deadline.left();
    return Promise.all(core.cluster.servers.map(async (server) => {
      const end = begin(operation, server.ref);
      try {
        results.set(server.ref.id, await ask(server, left));
        end();
      } catch (error) {
        end(error);
        call.signal?.throwIfAborted();
        errors.set(server.ref.id, asMemcachedError(error));
      }
    }));
  });
  return partial(results, errors, "servers");
}

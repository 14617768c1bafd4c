/** Commands to all servers: stats, flushAll and version. */
import { readOptions } from "../checks/options.ts";
import { oneOf } from "../checks/values.ts";
import { abortWith } from "../connection/abort.ts";
import { Request } from "../connection/request.ts";
import { invalidRange } from "../errors.ts";
import { toExptime } from "../protocol/exptime.ts";
import { answer, cutShort, unexpectedLine } from "./admin_answer.ts";
import type { Core } from "./core.ts";
import { askEveryServer } from "./every_server.ts";
import { type CallOptions, checkedOptions } from "./options.ts";
import { versionResult } from "./results.ts";

/** The kinds of statistics. */
type StatsKind = "items" | "slabs" | "settings" | "sizes" | "conns" | "reset";

/** Options of flushAll. */
interface FlushOptions extends CallOptions {
  /** Seconds to wait before it happens. */
  delay?: number | undefined;
}

const STATS_KINDS: readonly StatsKind[] = ["items", "slabs", "settings", "sizes", "conns", "reset"];

/** The statistics of each server, by id. */
export async function stats(
  core: Core,
  kind: StatsKind | undefined,
  options: CallOptions | undefined,
): Promise<Map<string, Record<string, string | number>>> {
  if (kind !== undefined) oneOf(kind, STATS_KINDS, "kind");
  const command = kind === undefined ? "stats" : `stats ${kind}`;
  const call = core.callOptions(options);
  return await askEveryServer(core, "stats", call, async (server, { timeout, signal }) => {
    const limits = { timeout, total: true, signal };
    const found: Record<string, string | number> = {};
    const lines = answer(server, () => command, limits);
    for await (const line of lines) {
      if (line === "END" || line === "RESET") return found;
      const stat = /^STAT (\S+) ?(.*)$/.exec(line);
      if (stat === null) throw unexpectedLine(line, command, server);
      found[stat[1]!] = readStat(stat[2]!);
    }
    throw cutShort(server);
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
  await askEveryServer(core, "flushAll", call, async (server, { timeout }) => {
    const limits = { timeout, total: true, signal, ambiguous: true };
    for await (const line of answer(server, () => command, limits)) {
      if (line === "OK") return true;
      throw unexpectedLine(line, command, server);
    }
    throw cutShort(server);
  });
}

/** The version of each server, by id. */
export async function version(
  core: Core,
  options: CallOptions | undefined,
): Promise<Map<string, string>> {
  const call = core.callOptions(options);
  return await askEveryServer(core, "version", call, (server, { timeout }) => {
    const request = new Request("version", "", versionResult, timeout);
    if (call.signal !== undefined) abortWith(call.signal, request);
    if (!request.settled) server.send(request);
    return request.promise;
  });
}

function readStat(text: string): string | number {
  if (!/^-?(0|[1-9][0-9]*)$/.test(text)) return text;
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : text;
}

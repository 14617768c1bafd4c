/** keys: lists the keys that all servers hold, from a dump of each server. */
import { readOptions } from "../checks/options.ts";
import { checkSignal } from "../checks/values.ts";
import type { Server } from "../cluster/server.ts";
import { checkPrefix } from "../protocol/key.ts";
import { DUMP_HASH_SINCE, isAtLeast } from "../protocol/version.ts";
import { answer, cutShort, unexpectedLine } from "./admin_answer.ts";
import type { Core } from "./core.ts";
import { Deadline } from "./deadline.ts";
import { pause } from "./pause.ts";
import { begin } from "./trace.ts";

/** Options of keys. */
interface KeysOptions {
  /** What the keys must begin with, after the client's own prefix. */
  prefix?: string | undefined;
  signal?: AbortSignal | undefined;
}

// If another dump is running, ask again after 100, 200... ms.
const MAX_BUSY = 6;
const BUSY_MS = 100;

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
        // Keys that were received before an abort or `close` are not handed out after it.
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
      if (item === null) throw unexpectedLine(line, "lru_crawler metadump", server);
      const key = decodeKey(item[1]!);
      const expires = Number(item[2]);
      const alive = expires === -1 || expires > Date.now() / 1000;
      if (key !== undefined && alive) yield key;
    }
    if (!busy) throw cutShort(server);
    await pause(BUSY_MS * 2 ** tries, signal, core.cluster.closables);
  }
}

/** A dump writes any bytes of a key as %XX; undefined: the key is not UTF-8. */
function decodeKey(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

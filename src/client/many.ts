/** Calls for many keys: one batch for each server, a result for each key. */
import { checkIterable } from "../checks/values.ts";
import type { Server } from "../cluster/server.ts";
import { invalidType } from "../errors.ts";
import { KEEP_EXPTIME } from "../protocol/command.ts";
import { Kind } from "../protocol/reply.ts";
import type { Commands } from "./commands.ts";
import { type Core, storeExptime } from "./core.ts";
import { ABSENT, type Entry, Gathered, type TakeOne } from "./gathered.ts";
import type { CallOptions, CheckedOptions, StoreOptions } from "./options.ts";
import { type ManyCall, sendPortions } from "./portions.ts";

/** The values that were found, by key. */
export function getMany<T>(
  { core, codec }: Commands<unknown>,
  keys: Iterable<string>,
  options: CallOptions | undefined,
): Promise<Map<string, T>> {
  return askMany<T>(
    core,
    "getMany",
    keys,
    options,
    (reply, { keys }) =>
      reply.kind === Kind.value ? codec.decode(reply, keys![reply.index]!) as T : ABSENT,
  );
}

/** Deletes each key. The result has true for a key that was there. */
export function deleteMany(
  core: Core,
  keys: Iterable<string>,
  options: CallOptions | undefined,
): Promise<Map<string, boolean>> {
  return askMany(core, "deleteMany", keys, options, (reply) => reply.kind === Kind.done);
}

async function askMany<R>(
  core: Core,
  operation: "getMany" | "deleteMany",
  keys: Iterable<string>,
  options: CallOptions | undefined,
  take: TakeOne<R>,
): Promise<Map<string, R>> {
  const begun = core.sweep.now();
  const given = checkIterable(keys, "keys");
  const call = core.callOptions(options);
  const names = new Set<string>();
  const entries: Entry[] = [];
  for (const name of given) {
    names.add(name);
    // A key that was given twice is asked for once.
    if (names.size === entries.length) continue;
    entries.push({ name, key: core.wireKey(name), item: undefined });
  }
  const gathered = new Gathered(entries, take);
  await send(core, call, {
    operation,
    entries,
    exptime: KEEP_EXPTIME,
    timeout: call.timeout,
    deadline: begun + call.timeout,
    signal: call.signal,
    gathered,
  });
  return gathered.settle();
}

/** set for each entry. */
export async function setMany(
  { core, codec }: Commands<unknown>,
  entries: Iterable<readonly [key: string, value: unknown]>,
  options: StoreOptions | undefined,
): Promise<void> {
  const begun = core.sweep.now();
  const call = core.storeOptions(options);
  const exptime = storeExptime(call);
  const pairs = new Map<string, unknown>();
  for (const entry of checkIterable(entries, "entries")) {
    if (!Array.isArray(entry)) throw invalidType("each entry must be a pair of a key and a value");
    pairs.set(entry[0], entry[1]);
  }
  const listed: Entry[] = [];
  for (const [name, value] of pairs) {
    const item = core.stored(name, value, codec);
    listed.push({ name, key: item.key, item });
  }
  const gathered = new Gathered<void>(listed, () => undefined);
  await send(core, call, {
    operation: "setMany",
    entries: listed,
    exptime,
    timeout: call.timeout,
    deadline: begun + call.timeout,
    signal: call.signal,
    gathered,
  });
  gathered.settle();
}

/**
 * Sends all keys of the call. Keys whose connection was lost, and keys that go to another server now, are
 * sent again.
 */
function send<R>(core: Core, options: CheckedOptions, call: ManyCall<R>): Promise<void> {
  const { entries, signal, gathered } = call;
  return core.run(options, async () => {
    let positions = entries.map((_, i) => i);
    for (let again = false;; again = true) {
      signal?.throwIfAborted();
      const servers = [...positionsByServer(core, entries, positions)];
      await Promise.all(
        servers.map(([server, theirs]) => sendPortions(core, server, theirs, call, again)),
      );
      signal?.throwIfAborted();
      if (gathered.complete || core.sweep.now() >= call.deadline) return;
      positions = gathered.takeRepeatable((i) => core.cluster.moves(entries[i]!.key));
      if (positions.length === 0) return;
    }
  });
}

function positionsByServer(
  core: Core,
  entries: readonly Entry[],
  positions: readonly number[],
): Map<Server, number[]> {
  const byServer = new Map<Server, number[]>();
  let last: Server | undefined;
  let theirs: number[] = [];
  for (const i of positions) {
    const server = core.cluster.route(entries[i]!.key);
    if (server !== last) {
      last = server;
      theirs = byServer.get(server) ?? [];
      if (theirs.length === 0) byServer.set(server, theirs);
    }
    theirs.push(i);
  }
  return byServer;
}

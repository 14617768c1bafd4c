/** Calls for many keys or all servers: one batch a server, a result for each. */
import type { Server } from "../cluster/server.ts";
import { abortWith } from "../connection/abort.ts";
import { Request } from "../connection/request.ts";
import { asMemcachedError, invalidType, type MemcachedError } from "../errors.ts";
import { KEEP_EXPTIME, type StoredItem } from "../protocol/command.ts";
import { checkKey } from "../protocol/key.ts";
import { Kind } from "../protocol/reply.ts";
import type { Commands } from "./commands.ts";
import { type Core, storeExptime } from "./core.ts";
import { ABSENT, Gathered, type TakeOne } from "./gathered.ts";
import type { CallOptions, CheckedOptions, StoreOptions } from "./options.ts";
import { partial } from "./partial.ts";
import { type ManyCall, sendPortions } from "./portions.ts";
import { versionResult } from "./results.ts";
import { trace, traced } from "./trace.ts";

/** What was found for the keys. */
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
      reply.kind === Kind.value ? codec.decode(reply, keys?.[reply.index] as string) as T : ABSENT,
  );
}

/** delete for each key. */
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
  const names = [...new Set(iterable(keys, "keys"))];
  const call = core.callOptions(options);
  const { prefix } = core.options;
  const wireKeys = names.map((key) => checkKey(key, prefix));
  const gathered = new Gathered(names, take);
  await send(core, call, {
    operation,
    names,
    keys: wireKeys,
    items: null,
    exptime: KEEP_EXPTIME,
    timeout: call.timeout,
    end: begun + call.timeout,
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
  for (const entry of iterable(entries, "entries")) {
    if (!Array.isArray(entry)) throw invalidType("each entry must be a pair of a key and a value");
    pairs.set(entry[0], entry[1]);
  }
  const names = [...pairs.keys()];
  const keys: string[] = [];
  const items: StoredItem[] = [];
  for (const [name, value] of pairs) {
    const stored = core.stored(name, value, codec);
    keys.push(stored.key);
    items.push(stored);
  }
  const gathered = new Gathered<void>(names, () => undefined);
  await send(core, call, {
    operation: "setMany",
    names,
    keys,
    items,
    exptime,
    timeout: call.timeout,
    end: begun + call.timeout,
    signal: call.signal,
    gathered,
  });
  gathered.settle();
}

/** Sends all of the call. What was lost, and what belongs to another server by now, is asked again. */
function send<R>(core: Core, options: CheckedOptions, call: ManyCall<R>): Promise<void> {
  const { keys, signal, gathered } = call;
  return core.run(options, async () => {
    let positions: readonly number[] = [...keys.keys()];
    for (let again = false;; again = true) {
      signal?.throwIfAborted();
      const servers = [...positionsByServer(core, keys, positions)];
      await Promise.all(
        servers.map(([server, theirs]) => sendPortions(core, server, theirs, call, again)),
      );
      signal?.throwIfAborted();
      if (gathered.complete || core.sweep.now() >= call.end) return;
      positions = gathered.takeRepeatable((i) => core.cluster.moves(keys[i] as string));
      if (positions.length === 0) return;
    }
  });
}

function positionsByServer(
  core: Core,
  keys: readonly string[],
  positions: readonly number[],
): Map<Server, number[]> {
  const byServer = new Map<Server, number[]>();
  for (const i of positions) {
    const server = core.cluster.route(keys[i] as string);
    const theirs = byServer.get(server);
    if (theirs === undefined) byServer.set(server, [i]);
    else theirs.push(i);
  }
  return byServer;
}

/** What each server says of its version, by server id. */
export async function version(
  core: Core,
  options: CallOptions | undefined,
): Promise<Map<string, string>> {
  const call = core.callOptions(options);
  const { signal } = call;
  const results = new Map<string, string>();
  const errors = new Map<string, MemcachedError>();
  await core.run(call, async (deadline) => {
    const { timeout } = deadline.left();
    await Promise.all(core.cluster.servers.map(async (server) => {
      const request = new Request("version", "", versionResult, timeout);
      if (signal !== undefined) abortWith(signal, request);
      if (traced()) trace(request, server.ref);
      if (!request.settled) server.send(request);
      try {
        results.set(server.ref.id, await request.promise);
      } catch (error) {
        errors.set(server.ref.id, asMemcachedError(error));
      }
    }));
    signal?.throwIfAborted();
  });
  return partial(results, errors, "servers");
}

/** Refuses what cannot be gone through, and a string, whose characters nobody means. */
export function iterable<T>(list: Iterable<T>, name: string): Iterable<T> {
  if (typeof list !== "object" || typeof list?.[Symbol.iterator] !== "function") {
    throw invalidType(`${name} must be an array, a Set, a Map or another iterable object`);
  }
  return list;
}

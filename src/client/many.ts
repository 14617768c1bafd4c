/** Calls for many keys or all servers: one batch a server, a result for each. */
import type { Server } from "../cluster/server.ts";
import { COMMAND_BYTES, type Finish, Request } from "../connection/request.ts";
import { asMemcachedError, invalidType, type MemcachedError, ServerDownError } from "../errors.ts";
import { checkKey } from "../protocol/key.ts";
import { Kind } from "../protocol/reply.ts";
import type { Commands } from "./commands.ts";
import type { Core } from "./core.ts";
import type { CallOptions, ResolvedOptions, StoreOptions } from "./options.ts";
import { type Addressed, sendInPortions } from "./portions.ts";
import { partial } from "./partial.ts";
import { doneOrNotResult, doneResult, versionResult } from "./results.ts";
import type { ValueCodec } from "./values.ts";

// Keys of one request: enough to make a batch, few enough that a portion never fills the bounds.
const MAX_KEYS = 1000;

/** What was found for the keys. */
export async function getMany<T>(
  { core, codec }: Commands<unknown>,
  keys: Iterable<string>,
  options: CallOptions | undefined,
): Promise<Map<string, T>> {
  const names = [...new Set(iterable(keys, "keys"))];
  const call = core.callOptions(options);
  const { prefix } = core.options;
  const wireKeys = names.map((key) => checkKey(key, prefix));
  const { timeout: ms, signal } = call;
  const gathered = new Gathered<T>();
  const requestsFor = (positions: readonly number[], ms: number): Addressed[] => {
    const requests: Addressed[] = [];
    for (const [server, theirs] of positionsByServer(core, wireKeys, positions)) {
      for (const own of keyPortions(theirs, wireKeys, core.options)) {
        const ownNames = own.map((i) => names[i] as string);
        const request = new Request("getMany", "", gathered.values(codec, ownNames), ms);
        request.keys = own.map((i) => wireKeys[i] as string);
        gathered.watch(ownNames, request);
        requests.push({ server, request });
      }
    }
    return requests;
  };
  await core.run(call, async () => {
    const end = core.sweep.now() + ms;
    let positions: readonly number[] = [...names.keys()];
    let left = ms;
    do {
      await sendInPortions(core, requestsFor(positions, left), signal);
      left = end - core.sweep.now();
      if (core.options.failover === "none" || left <= 0) return;
      // Those whose server has turned out to be down go where they belong now.
      positions = positions.filter((i) =>
        core.cluster.moves(wireKeys[i] as string) && gathered.forgetDown(names[i] as string)
      );
    } while (positions.length > 0);
  });
  return gathered.settle("keys", names.length);
}

/** set for each entry. */
export async function setMany(
  { core, codec }: Commands<unknown>,
  entries: Iterable<readonly [key: string, value: unknown]>,
  options: StoreOptions | undefined,
): Promise<void> {
  const call = core.storeOptions(options);
  const gathered = new Gathered<void>();
  const pairs = new Map<string, unknown>();
  for (const entry of iterable(entries, "entries")) {
    if (!Array.isArray(entry)) throw invalidType("each entry must be a pair of a key and a value");
    pairs.set(entry[0], entry[1]);
  }
  const requests = Array.from(pairs, ([key, value]) => {
    const request = core.storeRequest("set", key, value, codec, doneResult, call);
    request.keepValue();
    gathered.watch([key], request);
    return { server: core.cluster.route(request.key), request };
  });
  await core.run(call, () => sendInPortions(core, requests, call.signal));
  gathered.settle("keys");
}

/** delete for each key. */
export async function deleteMany(
  core: Core,
  keys: Iterable<string>,
  options: CallOptions | undefined,
): Promise<Map<string, boolean>> {
  const call = core.callOptions(options);
  const gathered = new Gathered<boolean>();
  const requests = Array.from(new Set(iterable(keys, "keys")), (key) => {
    const request = core.request("delete", key, doneOrNotResult, call);
    gathered.watch([key], request);
    return { server: core.cluster.route(request.key), request };
  });
  await core.run(call, () => sendInPortions(core, requests, call.signal));
  return gathered.settle("keys");
}

/** What each server says of its version, by server id. */
export async function version(
  core: Core,
  options: CallOptions | undefined,
): Promise<Map<string, string>> {
  const gathered = new Gathered<string>();
  const call = core.callOptions(options);
  const requests = core.cluster.servers.map((server) => {
    const request = new Request("version", "", versionResult, call.timeout);
    gathered.watch([server.ref.id], request);
    return { server, request };
  });
  await core.run(call, () => sendInPortions(core, requests, call.signal));
  return gathered.settle("servers");
}

/** Refuses what cannot be gone through, and a string, whose characters nobody means. */
function iterable<T>(list: Iterable<T>, name: string): Iterable<T> {
  if (typeof list !== "object" || typeof list?.[Symbol.iterator] !== "function") {
    throw invalidType(`${name} must be an array, a Set, a Map or another iterable object`);
  }
  return list;
}

/** Positions of keys in portions that a connection takes if it has nothing else. */
function* keyPortions(
  positions: readonly number[],
  wireKeys: readonly string[],
  { maxPending, maxPendingBytes }: ResolvedOptions,
): Generator<readonly number[]> {
  const most = Math.min(MAX_KEYS, maxPending);
  let from = 0;
  let bytes = COMMAND_BYTES;
  for (let to = 0; to < positions.length; to++) {
    const size = (wireKeys[positions[to] as number] as string).length + COMMAND_BYTES;
    if (to > from && (to - from === most || bytes + size > maxPendingBytes)) {
      yield positions.slice(from, to);
      from = to;
      bytes = COMMAND_BYTES;
    }
    bytes += size;
  }
  yield positions.slice(from);
}

function positionsByServer(
  core: Core,
  wireKeys: readonly string[],
  positions: readonly number[],
): Map<Server, number[]> {
  const byServer = new Map<Server, number[]>();
  for (const i of positions) {
    const server = core.cluster.route(wireKeys[i] as string);
    const theirs = byServer.get(server);
    if (theirs === undefined) byServer.set(server, [i]);
    else theirs.push(i);
  }
  return byServer;
}

/** What a call for many has gathered, by name: a key or a server's id. */
class Gathered<R> {
  readonly #results = new Map<string, R>();
  readonly #errors = new Map<string, MemcachedError>();

  /** Takes the request's outcome; one for several names is taken for those that have none yet. */
  watch(names: readonly string[], request: Request<R> | Request<void>): void {
    request.onSettled((error) => {
      if (error === undefined) {
        if (request.keys === null) this.#results.set(names[0] as string, request.result as R);
        return;
      }
      for (const name of names) {
        if (!this.#results.has(name) && !this.#errors.has(name)) {
          this.#errors.set(name, asMemcachedError(error));
        }
      }
    });
  }

  /** Takes each reply of a getMany. */
  values(codec: ValueCodec, names: readonly string[]): Finish<void> {
    return (reply, request) => {
      const { index, kind } = reply;
      if (kind === Kind.value) {
        const name = names[index] as string;
        try {
          this.#results.set(name, codec.decode(reply, request.keys?.[index] as string) as R);
        } catch (error) {
          this.#errors.set(name, asMemcachedError(error));
        }
      } else if (kind === Kind.error) {
        for (const name of names.slice(index, reply.upTo)) {
          if (!this.#results.has(name)) this.#errors.set(name, reply.error as MemcachedError);
        }
      }
    };
  }

  /** Drops the error of a name whose server was down; false: it has none of that kind. */
  forgetDown(name: string): boolean {
    return this.#errors.get(name) instanceof ServerDownError && this.#errors.delete(name);
  }

  /** The results, or a PartialError that holds them if anything failed of the `total`. */
  settle(what: "keys" | "servers", total?: number): Map<string, R> {
    return partial(this.#results, this.#errors, what, total);
  }
}

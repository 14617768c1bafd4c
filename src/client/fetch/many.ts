/**
 * fetchMany: an exchange for each key, and one load for all that are won.
 *
 * The questions leave in one write to each server. The load begins when none of them is open any more: each
 * key is there, won, or waits for another's load. A key that is won later, after such a wait, is loaded with
 * those that are won in the same turn of the event loop.
 */
import { AsyncResource } from "node:async_hooks";
import { checkFunction, checkIterable } from "../../checks/values.ts";
import { setImmediate } from "../../connection/clock.ts";
import type { Request } from "../../connection/request.ts";
import { Ring } from "../../connection/ring.ts";
import { invalidType } from "../../errors.ts";
import type { Core } from "../core.ts";
import type { CheckedOptions } from "../options.ts";
import type { Sender } from "./exchange.ts";
import type { Flights } from "./flights.ts";
import { type FetchOptions, readFetchOptions } from "./options.ts";

// Commands of one call that are underway at a time.
const WINDOW = 2000;

/** Makes the values of several keys; a key that has none is left out. */
type LoadMany<T> = (missing: readonly string[]) => Promise<ReadonlyMap<string, T>>;

/** The values for the keys. */
export async function fetchMany<T>(
  flights: Flights,
  keys: Iterable<string>,
  load: LoadMany<T>,
  options: FetchOptions,
): Promise<Map<string, T>> {
  const { core } = flights;
  const names = [...new Set(checkIterable(keys, "keys"))];
  checkFunction(load, "fetchMany needs a function that loads");
  const settings = readFetchOptions(options, core.options.timeout);
  const entries = names.map((name) => ({ name, key: core.wireKey(name) }));
  const batch = new Batch(load, names);
  const window = new Window(core);
  const outcomes = await Promise.allSettled(entries.map(async ({ name, key }) => {
    try {
      const [load, waits] = [(): unknown => batch.add(name), (): void => batch.decide(name)];
      return await flights.fetch(key, load, waits, settings, window);
    } finally {
      batch.decide(name);
    }
  }));
  const found = new Map<string, T>();
  outcomes.forEach((outcome, i) => {
    if (outcome.status === "rejected") throw outcome.reason;
    if (outcome.value !== undefined) found.set(names[i]!, outcome.value as T);
  });
  return found;
}

/** The keys of one call, and the loads that it makes for them. */
class Batch<T> {
  readonly #load: LoadMany<T>;
  /** Keys of which it is not known yet whether they must be loaded. */
  readonly #open: Set<string>;
  /** Keys that are to be loaded, and what their exchanges are told. */
  #won = new Map<string, { give(value: T | undefined): void; fail(error: unknown): void }>();

  constructor(load: LoadMany<T>, names: readonly string[]) {
    // A load begins when a reply has come, which is read in the context of whoever made the socket.
    this.#load = AsyncResource.bind(load);
    this.#open = new Set(names);
  }

  /** The key need not be waited for: it is won, there, or comes from elsewhere. */
  decide(name: string): void {
    if (this.#open.delete(name) && this.#open.size === 0) void this.#run();
  }

  /** Loads for the key, with others. */
  add(name: string): Promise<T | undefined> {
    return new Promise((give, fail) => {
      this.#won.set(name, { give, fail });
      // Of a later round: the first one ended when the last key was decided.
      if (this.#open.size === 0 && this.#won.size === 1) setImmediate(() => void this.#run());
      this.decide(name);
    });
  }

  async #run(): Promise<void> {
    const won = this.#won;
    if (won.size === 0) return;
    this.#won = new Map();
    try {
      const loaded = await this.#load([...won.keys()]);
      if (typeof loaded?.get !== "function") {
        throw invalidType("the function that loads for fetchMany must resolve to a Map");
      }
      for (const [name, { give }] of won) give(loaded.get(name));
    } catch (error) {
      for (const { fail } of won.values()) fail(error);
    }
  }
}

/** Sends a few commands at a time, so that a call for many keys leaves room for others. */
class Window implements Sender {
  readonly #core: Core;
  #underway = 0;
  readonly #waiting = new Ring<() => void>();

  constructor(core: Core) {
    this.#core = core;
  }

  send<T>(request: Request<T>, options: CheckedOptions): Promise<T> {
    request.onSettled(() => {
      this.#underway--;
      this.#waiting.shift()?.();
    });
    if (this.#underway < WINDOW) return this.#send(request, options);
    request.keepValue();
    this.#waiting.push(() => {
      try {
        this.#send(request, options).catch(() => undefined);
      } catch (error) {
        request.refuse(error); // a hashing of the caller's own threw
      }
    });
    return request.promise;
  }

  #send<T>(request: Request<T>, options: CheckedOptions): Promise<T> {
    this.#underway++;
    // While it waits for room, too.
    request.deadline = this.#core.sweep.now() + request.timeout;
    return this.#core.send(request, options);
  }
}

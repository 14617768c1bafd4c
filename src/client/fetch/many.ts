/**
 * fetchMany: an exchange for each key, and one load for all that are won.
 *
 * The reads leave in one write to each server. The load begins when all of them are answered: each key is
 * there, is won, or waits for another load. A key that is won later, after such a wait, is loaded
 * together with those that are won in the same turn of the event loop.
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

// How many commands of a call are under way at a time.
const WINDOW = 2000;

/** Makes the values of several keys; a key that has none is left out. */
type LoadMany<T> = (
  missing: readonly string[],
) => ReadonlyMap<string, T> | Promise<ReadonlyMap<string, T>>;

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
  /** Keys that may still have to be loaded. */
  readonly #open: Set<string>;
  /** Keys that will be loaded, and how to tell their exchanges. */
  #won = new Map<string, { give(value: T | undefined): void; fail(error: unknown): void }>();

  constructor(load: LoadMany<T>, names: readonly string[]) {
    // A load begins at a reply, and replies are read in the async context of whoever made the socket.
    this.#load = AsyncResource.bind(load);
    this.#open = new Set(names);
  }

  /** The load need not wait for the key any more: it is won, it is there, or another load brings it. */
  decide(name: string): void {
    if (this.#open.delete(name) && this.#open.size === 0) void this.#run();
  }

  /** Loads the key, together with others. */
  add(name: string): Promise<T | undefined> {
    return new Promise((give, fail) => {
      this.#won.set(name, { give, fail });
      // This begins a later round: the first one ended when the last key was decided.
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
  #sending = false;
  readonly #waiting = new Ring<() => void>();

  constructor(core: Core) {
    this.#core = core;
  }

  send<T>(request: Request<T>, options: CheckedOptions): Promise<T> {
    if (this.#underway < WINDOW) return this.#send(request, options);
    request.keepValue();
    this.#waiting.push(() => this.#sendLater(request, options));
    return request.promise;
  }

  #send<T>(request: Request<T>, options: CheckedOptions): Promise<T> {
    let underway = true;
    const over = (): void => {
      if (!underway) return;
      underway = false;
      this.#underway--;
      this.#sendWaiting();
    };
    this.#underway++;
    request.onSettled(over);
    // The deadline counts while it waits for room, too.
    request.deadline = this.#core.sweep.now() + request.timeout;
    try {
      return this.#core.send(request, options);
    } catch (error) {
      over(); // a custom hashing has thrown, and nobody will settle the request
      throw error;
    }
  }

  #sendLater(request: Request<unknown>, options: CheckedOptions): void {
    try {
      this.#send(request, options).catch(() => undefined);
    } catch (error) {
      request.refuse(error);
    }
  }

  /** Sends as many as there is room for. A call within the call returns at once: one may be refused at once too. */
  #sendWaiting(): void {
    if (this.#sending) return;
    this.#sending = true;
    while (this.#underway < WINDOW) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      next();
    }
    this.#sending = false;
  }
}

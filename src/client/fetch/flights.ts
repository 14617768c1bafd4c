/**
 * `fetch` within one client: callers of one key share one exchange and one load.
 *
 * A hit must cost hardly more than `get`, so the first caller's promise is that of the request itself; what
 * follows a miss is hung on it (Request.continuation). For the others a flight has a promise that is made when
 * the first of them comes.
 *
 * Who joins before the load begins has called before it, and may be given whatever it brings. Who joins later
 * asks again if the value was perhaps invalidated meanwhile: the invalidation may have been acknowledged
 * before he came. An old value that was won goes to all but the first caller at once, and the flight ends for
 * them: who comes then asks the cache, which tells him whether the old value still stands there.
 */
import { AsyncResource } from "node:async_hooks";
import { onAbort } from "../../connection/abort.ts";
import type { Continuation, Finish } from "../../connection/request.ts";
import { fetchEvents } from "../../diagnostics.ts";
import type { Core } from "../core.ts";
import type { ValueCodec } from "../values.ts";
import { type Common, Exchange, type Loading, type Outcome, type Sender } from "./exchange.ts";
import { bypassFor, type Found, foundResult } from "./found.ts";
import type { FetchSettings } from "./options.ts";
import { Seen } from "./seen.ts";

/** What loads for a caller. */
export interface Loader {
  load(context: { stale: unknown; signal: AbortSignal }): unknown;
  /** The value comes from elsewhere, or not yet. */
  waits(): void;
}

/** One who waits for a value. */
interface Caller {
  readonly loader: Loader;
  readonly settings: FetchSettings;
  readonly sender: Sender;
  /** When it called, if somebody listens; else 0. */
  readonly since: number;
  /** What it waits for now. */
  flight: Flight | undefined;
  /** Its signal has aborted. */
  gone: boolean;
}

/** All fetches of a client that are underway, by key. */
export class Flights implements Common {
  readonly core: Core;
  readonly codec: ValueCodec;
  readonly seen: Seen;
  readonly found: Finish<Found>;
  readonly #flights = new Map<string, Flight>();

  constructor(core: Core, codec: ValueCodec) {
    this.core = core;
    this.codec = codec;
    this.seen = new Seen(() => core.sweep.now());
    this.found = foundResult(codec);
  }

  /** The value for a key as it goes over the wire. May throw. */
  fetch(key: string, loader: Loader, settings: FetchSettings, sender: Sender): Promise<unknown> {
    const { signal } = settings;
    this.core.checkOpen();
    signal?.throwIfAborted();
    const since = fetchEvents.hasSubscribers ? performance.now() : 0;
    const caller: Caller = { loader, settings, sender, since, flight: undefined, gone: false };
    const promise = this.#board(key, caller);
    return signal === undefined ? promise : untilAbort(promise, signal, () => {
      caller.gone = true;
      caller.flight?.leave();
    });
  }

  /** The flight has an end for those who come from now on. */
  remove(flight: Flight): void {
    if (this.#flights.get(flight.key) === flight) this.#flights.delete(flight.key);
  }

  /** Tells who listens what a caller got. */
  publish(key: string, caller: Caller, outcome: Pick<Outcome, "result" | "error">): void {
    if (caller.since === 0) return;
    const { result, error } = outcome;
    const server = this.core.cluster.route(key).ref;
    const duration = performance.now() - caller.since;
    fetchEvents.publish({ result, server, duration, ...(error === undefined ? {} : { error }) });
  }

  #board(key: string, caller: Caller): Promise<unknown> {
    const flight = this.#flights.get(key);
    if (flight !== undefined) return this.#join(flight, caller);
    const own = new Flight(key, this, caller);
    const promise = own.start();
    this.#flights.set(key, own);
    return promise;
  }

  async #join(flight: Flight, caller: Caller): Promise<unknown> {
    const late = flight.loading;
    caller.loader.waits();
    caller.flight = flight;
    try {
      const outcome = await flight.join();
      if (late && outcome.doubtful && !caller.gone) return await this.#board(flight.key, caller);
      const { result, error } = outcome;
      const shared = result === "loaded" ? "waited" : result;
      if (!caller.gone) this.publish(flight.key, caller, { result: shared, error });
      return outcome.value;
    } catch (error) {
      if (!caller.gone) this.publish(flight.key, caller, { result: "waited", error });
      throw error;
    } finally {
      if (!caller.gone && caller.flight === flight) flight.leave();
    }
  }
}

/** One key that is being fetched. */
class Flight implements Continuation, Loading {
  readonly key: string;
  readonly #flights: Flights;
  readonly #first: Caller;
  readonly #exchange: Exchange;
  /** A reply is read in the async context of whoever made the socket. The loader is to run in its caller's. */
  readonly #context = new AsyncResource("memwire.fetch", { requireManualDestroy: true });
  /** The load has begun. */
  loading = false;
  /** Nobody waits for it any more. */
  abandoned = false;
  /** The load is one without the cache. */
  #bypassed = false;
  #waiting = 1;
  #ended = false;
  #controller: AbortController | undefined;
  /** What those who have joined are given. */
  #joined: Promise<Outcome> | undefined;
  #give: (outcome: Outcome) => void = () => undefined;
  #fail: (error: unknown) => void = () => undefined;

  constructor(key: string, flights: Flights, first: Caller) {
    this.key = key;
    this.#flights = flights;
    this.#first = first;
    const { settings, sender } = first;
    this.#exchange = new Exchange(key, flights, settings, sender, sender !== flights.core);
    first.flight = this;
  }

  /** Asks; the promise is the first caller's. */
  start(): Promise<unknown> {
    const { core } = this.#flights;
    const { settings, sender } = this.#first;
    const question = this.#exchange.question();
    question.continuation = this;
    core.enter();
    try {
      return sender.send(question, settings.command);
    } catch (error) {
      core.leave();
      throw error;
    }
  }

  /** The outcome, for one caller more. */
  join(): Promise<Outcome> {
    this.#waiting++;
    return this.#joined ??= new Promise((give, fail) => {
      this.#give = give;
      this.#fail = fail;
    });
  }

  /** A caller waits no longer. */
  leave(): void {
    if (--this.#waiting > 0 || this.#ended) return;
    this.abandoned = true;
    this.#flights.remove(this);
    this.#controller?.abort();
  }

  // What the question comes to

  settled(found: Found): unknown {
    if (found.state !== "hit") return this.#context.runInAsyncScope(() => this.#goOn(() => found));
    this.#flights.seen.forget(this.key);
    this.#end({ value: found.value, result: "hit", doubtful: false, error: undefined });
    return found.value;
  }

  refused(error: unknown): unknown {
    return this.#context.runInAsyncScope(() => this.#goOn(() => bypassFor(error)));
  }

  async #goOn(first: () => Found): Promise<unknown> {
    // Later: the connection is in the middle of something, and the loader may call the client.
    await undefined;
    try {
      const outcome = await this.#exchange.run(first(), this);
      this.#end(outcome);
      return outcome.value;
    } catch (error) {
      this.#close({ result: this.#bypassed ? "bypassed" : "loaded", error });
      this.#fail(error);
      throw error;
    }
  }

  // What the exchange asks of it

  async load({ state, value, old }: Found): Promise<unknown> {
    this.loading = true;
    this.#bypassed = state === "bypass";
    if (old) {
      this.#flights.remove(this);
      this.#give({ value, result: "stale", doubtful: false, error: undefined });
    }
    this.#controller = new AbortController();
    return await this.#first.loader.load({ stale: value, signal: this.#controller.signal });
  }

  waits(): void {
    this.#first.loader.waits();
  }

  #end(outcome: Outcome): void {
    this.#close(outcome);
    this.#give(outcome);
  }

  #close(outcome: Pick<Outcome, "result" | "error">): void {
    this.#ended = true;
    this.#flights.remove(this);
    if (this.#first.since > 0) {
      this.#context.runInAsyncScope(() => this.#flights.publish(this.key, this.#first, outcome));
    }
    this.#flights.core.leave();
  }
}

/** A promise, or the signal's reason if that aborts first; `leave` is then called. */
function untilAbort(
  promise: Promise<unknown>,
  signal: AbortSignal,
  leave: () => void,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const forget = onAbort(signal, (reason) => {
      leave();
      reject(reason);
    });
    promise.finally(forget).then(resolve, reject);
  });
}

/**
 * `fetch` within one client: callers of one key share one load.
 *
 * Each caller asks the server for itself, and a hit ends there: its promise is that of the request
 * (Request.continuation), so it costs hardly more than `get`, and its value is the caller's own. A caller
 * who finds that the value must be loaded, or is being loaded, begins a flight or joins the one of its
 * key.
 *
 * A caller who asked before the load began may get whatever it brings. A caller who comes later joins
 * without asking, and asks after all if the value may have been invalidated meanwhile: the invalidation
 * may have been acknowledged before that caller called. Nobody joins a flight that has won an old value,
 * since the server gives the old value to all others.
 */
import { AsyncResource } from "node:async_hooks";
import { onAbort } from "../../connection/abort.ts";
import { elapsed } from "../../connection/clock.ts";
import type { Continuation, Finish } from "../../connection/request.ts";
import { fetchEvents } from "../../diagnostics.ts";
import type { Core } from "../core.ts";
import type { ServerRef } from "../../server_ref.ts";
import type { ClientCodec } from "../values/codec.ts";
import {
  type Common,
  Exchange,
  type Loading,
  type Outcome,
  question,
  type Sender,
} from "./exchange.ts";
import { bypassFor, type Found, foundResult } from "./found.ts";
import type { FetchSettings } from "./options.ts";
import { Seen } from "./seen.ts";

/** Makes a value. */
export type Load = (context: { stale: unknown; signal: AbortSignal }) => unknown;

/** The fetches of a client, and the flights of those that load or wait for a load. */
export class Flights implements Common {
  readonly core: Core;
  readonly codec: ClientCodec;
  readonly seen: Seen;
  readonly found: Finish<Found>;
  // Hits are not entered here: when each call added and removed an entry, garbage collection took half of
  // all CPU (Node 20), since a Map's old tables keep their entries alive.
  readonly #flights = new Map<string, Flight>();

  constructor(core: Core, codec: ClientCodec) {
    this.core = core;
    this.codec = codec;
    this.seen = new Seen(() => core.sweep.now());
    this.found = foundResult(codec);
  }

  /**
   * The value for a key as it goes over the wire. May throw. `waits` is called if the value comes from
   * another load, or not at once.
   */
  fetch(
    key: string,
    load: Load,
    waits: () => void,
    settings: FetchSettings,
    sender: Sender,
  ): Promise<unknown> {
    const signal = settings.callersSignal;
    signal?.throwIfAborted();
    this.core.enter();
    const caller = new Caller(key, load, waits, settings, sender, this);
    const flight = this.#flights.get(key);
    const promise = flight === undefined ? this.ask(caller) : this.#join(caller, flight);
    return signal === undefined ? promise : untilAbort(promise, signal, () => caller.leave());
  }

  /** Asks the server for a caller. */
  ask(caller: Caller): Promise<unknown> {
    const { key, settings, sender } = caller;
    const many = sender !== this.core;
    const asked = question(key, settings, this.core.inCallersContext(this.found), many);
    asked.continuation = caller;
    try {
      return sender.send(asked, settings);
    } catch (error) {
      caller.end("bypassed", error);
      throw error;
    }
  }

  /** Goes on for a caller whose read was not a hit. */
  async goOn(caller: Caller, first: () => Found): Promise<unknown> {
    // Go on later: the connection is in the middle of its work, and the loader may call the client.
    await undefined;
    let found: Found;
    try {
      found = first();
    } catch (error) {
      caller.end("hit", error);
      throw error;
    }
    const { key } = caller;
    const alone = found.state === "stale" || found.state === "won";
    const other = alone ? undefined : this.#flights.get(key);
    if (other !== undefined) {
      caller.waits();
      return await this.#ride(caller, other, false);
    }
    const flight = new Flight(caller, found, this);
    // Nobody may join a flight whose caller has left already: it only gives back what was won.
    const joins = !flight.abandoned && found.state !== "stale" && !found.old;
    if (joins) this.#flights.set(key, flight);
    return await this.#ride(caller, flight, false);
  }

  /** Takes the flight out, so that nobody joins it from now on. */
  remove(flight: Flight): void {
    if (this.#flights.get(flight.key) === flight) this.#flights.delete(flight.key);
  }

  async #join(caller: Caller, flight: Flight): Promise<unknown> {
    caller.waits();
    return await this.#ride(caller, flight, flight.loading);
  }

  /**
   * Waits for the flight's outcome. A caller who came `late` asks after all if the outcome is doubtful.
   */
  async #ride(caller: Caller, flight: Flight, late: boolean): Promise<unknown> {
    caller.board(flight);
    try {
      const { value, result, error, doubtful } = await flight.outcome;
      if (late && doubtful && !caller.gone) return await this.ask(caller);
      const shared = result === "loaded" && flight.first !== caller ? "waited" : result;
      caller.end(shared, error);
      return value;
    } catch (error) {
      caller.end(flight.bypassed ? "bypassed" : "loaded", error);
      throw error;
    }
  }
}

/** A call that waits for a value. */
class Caller implements Continuation {
  readonly key: string;
  readonly load: Load;
  readonly waits: () => void;
  readonly settings: FetchSettings;
  readonly sender: Sender;
  /** Its signal has aborted, or it has its value. */
  gone = false;
  readonly #flights: Flights;
  /**
   * The loader runs in this context, its caller's. Replies are read in that of whoever made the socket.
   */
  readonly #context: AsyncResource = new AsyncResource("memwire.fetch", MANUAL);
  /** When the call was made, if somebody listens; else 0. */
  readonly #since: number = fetchEvents.hasSubscribers ? elapsed() : 0;
  /** The flight that it waits for now. */
  #flight: Flight | undefined = undefined;

  constructor(
    key: string,
    load: Load,
    waits: () => void,
    settings: FetchSettings,
    sender: Sender,
    flights: Flights,
  ) {
    this.key = key;
    this.load = load;
    this.waits = waits;
    this.settings = settings;
    this.sender = sender;
    this.#flights = flights;
  }

  settled(found: Found): unknown {
    if (found.state !== "hit") return this.#goOn(() => found);
    this.#flights.seen.forget(this.key);
    this.end("hit", undefined);
    return found.value;
  }

  refused(error: unknown): unknown {
    return this.#goOn(() => bypassFor(error));
  }

  #goOn(first: () => Found): unknown {
    return this.#context.runInAsyncScope(() => this.#flights.goOn(this, first));
  }

  /** Waits for this flight, and no longer for another. */
  board(flight: Flight): void {
    this.#flight?.leave();
    this.#flight = this.gone ? undefined : flight;
    if (!this.gone) flight.waiting++;
  }

  /** Waits no longer. */
  leave(): void {
    if (this.gone) return;
    this.gone = true;
    this.#flight?.leave();
    this.#flights.core.leave();
  }

  /** Ends the call, and publishes that in its own context. */
  end(result: Outcome["result"], error: unknown): void {
    if (this.gone) return;
    this.leave();
    if (this.#since === 0) return;
    const duration = elapsed() - this.#since;
    const server = this.#server;
    const message = { result, server, duration, ...(error === undefined ? {} : { error }) };
    this.#context.runInAsyncScope(() => fetchEvents.publish(message));
  }

  /** The key's server. There is none if no list of servers is known, or if a custom hashing throws. */
  get #server(): ServerRef {
    const { cluster } = this.#flights.core;
    const unknown = { id: "", address: "" };
    if (cluster.servers.length === 0) return unknown;
    try {
      return cluster.route(this.key).ref;
    } catch {
      return unknown;
    }
  }
}

const MANUAL = { requireManualDestroy: true };

/** A key that is being loaded, here or elsewhere. */
class Flight implements Loading {
  readonly key: string;
  /** The caller whose loader and options it uses. */
  readonly first: Caller;
  readonly outcome: Promise<Outcome>;
  /** How many callers wait for it. */
  waiting = 0;
  /** The load has begun. */
  loading = false;
  /** The load bypasses the cache. */
  bypassed = false;
  /** Nobody waits for it any more. */
  abandoned = false;
  readonly #flights: Flights;
  #ended = false;
  #controller: AbortController | undefined = undefined;

  constructor(first: Caller, found: Found, flights: Flights) {
    const { key, settings, sender } = first;
    this.key = key;
    this.first = first;
    this.#flights = flights;
    // The caller may have left while its read was on the way.
    this.abandoned = first.gone;
    const exchange = new Exchange(key, flights, settings, sender, sender !== flights.core);
    // The loader starts later, when others can already join.
    this.outcome = Promise.resolve().then(() => exchange.run(found, this)).finally(() => {
      this.#ended = true;
      flights.remove(this);
    });
  }

  /** A caller waits no longer. */
  leave(): void {
    if (--this.waiting > 0 || this.#ended) return;
    this.abandoned = true;
    this.#flights.remove(this);
    this.#controller?.abort();
  }

  async load({ state, value }: Found): Promise<unknown> {
    this.loading = true;
    this.bypassed = state === "bypass";
    this.#controller = new AbortController();
    return await this.first.load({ stale: value, signal: this.#controller.signal });
  }

  waits(): void {
    this.first.waits();
  }
}

/**
 * Settles as the promise does, or rejects with the signal's reason if that aborts first, and then calls
 * `leave`.
 */
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

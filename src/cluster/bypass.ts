/**
 * A way around a connection that has stalled. A proxy answers in order, so one call to a silent server
 * behind it holds up all later calls, whatever server they are for (twemproxy without `timeout:`).
 *
 * While the connection is silent, its reads are sent a second time over a few connections, called lanes,
 * that carry one call each at a time: there a call that is never answered holds up no other. The answer
 * that comes first counts. Writes wait: if they overtook one another, another value could be stored in
 * the end.
 */
import type { Connection, ConnectionOwner } from "../connection/connection.ts";
import type { Ending } from "../connection/ending.ts";
import * as failure from "../connection/failure.ts";
import type { Request } from "../connection/request.ts";
import { Ring } from "../connection/ring.ts";
import type { Sweep, Swept } from "../connection/sweep.ts";

// The most lanes, before and after the server has answered on one: few at first, so that a server that is
// only busy does not get more work.
const FIRST_LANES = 2;
const MAX_LANES = 8;

// This many lanes may fail without a wait. From then on the next one waits, twice as long each time.
const FREE_FAILURES = 4;
const MAX_DOUBLINGS = 6;

/** What a bypass is made of. */
interface BypassSettings {
  /** Opens one more connection to the server. */
  readonly open: (owner: ConnectionOwner) => Connection;
  readonly sweep: Sweep;
  /** The first wait before a lane is opened after several have failed, in milliseconds. */
  readonly pause: number;
  /** An answer is recent for this many milliseconds, and unused lanes are closed after as many. */
  readonly recent: number;
}

/** The lanes of one server. */
export class Bypass implements ConnectionOwner, Swept {
  readonly #settings: BypassSettings;
  /** Connections that carry one call at a time. */
  #lanes: Connection[] = [];
  readonly #waiting: Ring<Request<unknown>> = new Ring();
  #answeredAt = -Infinity;
  /**
   * How many lanes in a row were given up or lost before the server answered, and when the next may open.
   */
  #futile = 0;
  #openFrom = -Infinity;
  #usedAt = 0;

  constructor(settings: BypassSettings) {
    this.#settings = settings;
  }

  /** Whether the server has answered over a lane since `time`, on the sweep's clock. */
  answeredSince(time: number): boolean {
    return this.#answeredAt >= time;
  }

  get #answers(): boolean {
    return this.answeredSince(this.#settings.sweep.now() - this.#settings.recent);
  }

  /** Sends these reads over lanes too, each once. */
  take(requests: readonly Request<unknown>[]): void {
    for (const request of requests) {
      if (!request.overtaken) this.#waiting.push(request);
      request.overtaken = true;
    }
    this.#usedAt = this.#settings.sweep.now();
    this.#settings.sweep.watch(this);
    this.#next();
  }

  /** Closes all lanes at once: every read is in flight on the main connection too, or has settled. */
  close(): void {
    while (this.#waiting.length > 0) this.#waiting.shift();
    for (const lane of this.#lanes) lane.drop(failure.laneGivenUp());
  }

  ready(): void {
    this.#next();
  }

  stalled(): void {
    this.#next();
  }

  ended(connection: Connection, { reason, answered }: Ending): void {
    this.#lanes = this.#lanes.filter((lane) => lane !== connection);
    if (reason === "closed" || answered) return;
    // It was given up so that others get a turn. That says nothing about a server that answers.
    if (reason === "silent" && this.#answers) return;
    this.#answeredAt = -Infinity;
    const doublings = Math.min(++this.#futile - FREE_FAILURES, MAX_DOUBLINGS);
    if (doublings < 0) return;
    this.#openFrom = this.#settings.sweep.now() + this.#settings.pause * 2 ** doublings;
  }

  sweep(now: number): boolean {
    this.#next();
    const busy = this.#lanes.some((lane) => !lane.idle);
    if (busy || this.#waiting.length > 0) this.#usedAt = Math.max(this.#usedAt, now);
    if (now - this.#usedAt < this.#settings.recent) return true;
    for (const lane of this.#lanes) lane.close();
    return false;
  }

  /** Gives calls that wait to lanes that are free. */
  #next(): void {
    for (;;) {
      while (this.#waiting.peek()?.settled) this.#waiting.shift();
      if (this.#waiting.length === 0) return;
      const lane = this.#lanes.find(({ idle }) => idle);
      if (lane === undefined) return this.#makeRoom();
      this.#send(lane, this.#waiting.shift()!);
    }
  }

  #send(lane: Connection, request: Request<unknown>): void {
    const copy = request.again();
    copy.onSettled(() => {
      if (!lane.idle) return;
      this.#answeredAt = this.#settings.sweep.now();
      this.#futile = 0;
      this.#next();
    });
    lane.send(copy);
  }

  /** Opens a lane. If there are as many as allowed, it takes the place of one that does not answer. */
  #makeRoom(): void {
    const opening = this.#lanes.filter(({ connecting }) => connecting).length;
    if (opening >= this.#waiting.length || !this.#mayOpen) return;
    if (this.#lanes.length >= (this.#answers ? MAX_LANES : FIRST_LANES)) {
      const stuck = this.#lanes.find(({ stalled }) => stalled);
      if (stuck === undefined) return;
      stuck.drop(failure.laneGivenUp());
      if (!this.#mayOpen) return;
    }
    this.#lanes.push(this.#settings.open(this));
  }

  get #mayOpen(): boolean {
    return this.#answers || this.#settings.sweep.now() >= this.#openFrom;
  }
}

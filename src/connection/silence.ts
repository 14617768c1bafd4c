/**
 * Judges a connection by time: which calls are overdue, when it has stalled, and when its silence ends
 * it.
 */
import type { ServerRef } from "../server_ref.ts";
import * as failure from "./failure.ts";
import type { Pending } from "./pending.ts";
import type { Sweep } from "./sweep.ts";

// After so many timeouts without a reply between them, a silence as long as the client's timeout ends a
// connection.
const MAX_TIMEOUTS = 3;

// A silence of fewer round trips than this is no stall, but a stall begins before half of the client's
// timeout is over: late enough for a slow server, early enough for reads to find another way in time.
const STALLED_ROUND_TRIPS = 4;
const LATEST_STALL = 1 / 2;

/** What the silence of a connection is judged by. */
interface SilenceSettings {
  readonly ref: ServerRef;
  /** The client's own timeout, in ms. */
  readonly timeout: number;
  readonly sweep: Sweep;
  /** Runs `then` when all sockets that have something to read have been read. */
  readonly look: (then: () => void) => void;
  /** Whether a silence as long as the timeout is enough to end it, until it has answered a command. */
  readonly onTrial: boolean;
  /** A silence for this part of the timeout is a stall. */
  readonly patience: number;
}

/** What a silence is reported to. */
export interface SilenceEvents {
  /** Whether a command was ever answered. */
  readonly answered: boolean;
  /** Nothing has come for a while. Is called once for each such silence. */
  hasStalled(): void;
  /** Nothing will come any more. */
  isSilent(): void;
}

/** How long one connection has been silent although replies are due. */
export class Silence {
  readonly #settings: SilenceSettings;
  readonly #pending: Pending;
  readonly #events: SilenceEvents;
  readonly #begunAt: number;
  #readyAt = 0;
  /**
   * Since when it has been silent although replies are due, on the sweep's clock; Infinity: no reply is
   * due.
   */
  #since = 0;
  /** A silence of so many ms is a stall. */
  #patience = Infinity;
  /**
   * How many calls with the client's own timeout, or a longer one, have timed out since something last
   * came.
   */
  #timeouts = 0;
  #stalled = false;
  /** How often it was read from. */
  #reads = 0;
  /** The event loop was blocked, and the bytes that came meanwhile are still being read. */
  #behind = false;
  #behindUntil = 0;
  #lookedAt = 0;

  constructor(settings: SilenceSettings, pending: Pending, events: SilenceEvents) {
    this.#settings = settings;
    this.#pending = pending;
    this.#events = events;
    this.#begunAt = settings.sweep.now();
  }

  /** Whether it has been silent for a while although replies are due. */
  get stalled(): boolean {
    return this.#stalled;
  }

  /** The socket is connected, which took a round trip, or two with TLS. */
  connected(): void {
    const { timeout, patience, sweep } = this.#settings;
    const trips = STALLED_ROUND_TRIPS * (sweep.now() - this.#begunAt);
    this.#patience = Math.min(timeout * LATEST_STALL, Math.max(timeout * patience, trips));
  }

  /** From now on replies may be due. */
  ready(): void {
    this.#since = this.#readyAt = this.#settings.sweep.now();
  }

  /** No reply is due: a silence begins with the next request. */
  rest(): void {
    this.#since = Infinity;
  }

  asked(now: number): void {
    if (this.#since === Infinity) this.#since = now;
  }

  heard(): void {
    this.#reads++;
    this.#timeouts = 0;
    this.#stalled = false;
    this.#since = this.#settings.sweep.now();
  }

  /**
   * Refuses calls that were overdue at `now`. `blocked`: for so many ms the event loop has not run, and
   * replies may wait to be read. Then the calls are refused once a turn of the loop has read nothing
   * more, or after as much time again, so that a stream of replies does not delay this for ever.
   */
  look(now: number, blocked: number): void {
    this.#lookedAt = now;
    if (blocked > 0) this.#behindUntil = this.#settings.sweep.now() + blocked;
    if (this.#behind) return;
    if (blocked > 0) this.#catchUp();
    else this.#judge(now);
  }

  #catchUp(): void {
    this.#behind = true;
    const reads = this.#reads;
    const { look, sweep } = this.#settings;
    look(() => {
      if (this.#reads !== reads && sweep.now() < this.#behindUntil) return this.#catchUp();
      this.#behind = false;
      this.#judge(this.#lookedAt);
    });
  }

  #judge(now: number): void {
    const { ref, timeout, onTrial } = this.#settings;
    this.#pending.expire(now, (request, phase) => {
      if (phase === "sent" && request.timeout >= timeout) this.#timeouts++;
      request.refuse(failure.timeout(ref, request, phase));
    });
    if (this.#pending.isStuck(now - 2 * timeout, this.#readyAt)) return this.#events.isSilent();
    if (!this.#pending.due) return;
    const silence = now - this.#since;
    const enough = this.#timeouts >= MAX_TIMEOUTS || (onTrial && !this.#events.answered);
    if (enough && silence >= timeout) return this.#events.isSilent();
    if (this.#stalled || silence < this.#patience) return;
    this.#stalled = true;
    this.#events.hasStalled();
  }
}

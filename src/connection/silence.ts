/**
 * What time says of a connection: which calls are overdue, when it has stalled, and when its silence is
 * the end of it.
 */
import type { ServerRef } from "../server_ref.ts";
import * as failure from "./failure.ts";
import type { Pending } from "./pending.ts";
import type { Sweep } from "./sweep.ts";

// Timeouts with no reply between that, in silence as long as the client's own, end a connection.
const MAX_TIMEOUTS = 3;

// A stall lasts so many round trips at least, and begins before half of the client's timeout is over: late
// enough for what is slow, early enough for reads to find another way in time.
const STALLED_ROUND_TRIPS = 4;
const LATEST_STALL = 1 / 2;

/** What the silence of a connection is judged by. */
interface SilenceSettings {
  readonly ref: ServerRef;
  /** The client's own timeout, in ms. */
  readonly timeout: number;
  readonly sweep: Sweep;
  /** Runs `then` when all sockets that have something to read were read. */
  readonly look: (then: () => void) => void;
  /** Whether silence for as long as the timeout is enough, until a command was answered. */
  readonly onTrial: boolean;
  /** Silence for this part of the timeout is a stall. */
  readonly patience: number;
}

/** What is told of a silence. */
export interface SilenceEvents {
  /** Whether a command was ever answered. */
  readonly answered: boolean;
  /** Nothing has come for a while; told once for each such while. */
  hasStalled(): void;
  /** Nothing will come any more. */
  isSilent(): void;
}

/** How long one connection has said nothing to what it was asked. */
export class Silence {
  readonly #settings: SilenceSettings;
  readonly #pending: Pending;
  readonly #events: SilenceEvents;
  readonly #begunAt: number;
  #readyAt = 0;
  /** Since when it is silent although replies are due, on the sweep's clock; Infinity: nothing was asked. */
  #since = 0;
  /** Silence of so many ms is a stall. */
  #patience = Infinity;
  /** Calls with the client's own timeout, or a longer one, that timed out since it was last heard. */
  #timeouts = 0;
  #stalled = false;
  /** How often it was read from. */
  #reads = 0;
  /** The event loop was blocked, and what came meanwhile is still being read. */
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

  /** Connected: that took a round trip, or two with TLS. */
  connected(): void {
    const { timeout, patience, sweep } = this.#settings;
    const trips = STALLED_ROUND_TRIPS * (sweep.now() - this.#begunAt);
    this.#patience = Math.min(timeout * LATEST_STALL, Math.max(timeout * patience, trips));
  }

  /** From now on it is asked. */
  ready(): void {
    this.#since = this.#readyAt = this.#settings.sweep.now();
  }

  /** Nothing is due: silence begins with what is asked next. */
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
   * replies may wait to be read. Then it does so once a turn of the loop has read nothing more, or has
   * had as much time again: replies that keep coming do not keep others waiting for ever.
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

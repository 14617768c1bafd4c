/**
 * Judges a connection by time: which calls are overdue, when it has stalled, and when its silence ends
 * it.
 */
import type { ServerRef } from "../server_ref.ts";
import { afterReading } from "./clock.ts";
import * as failure from "./failure.ts";
import type { Pending } from "./pending.ts";
import { type Sweep, SWEEP_INTERVAL } from "./sweep.ts";

// After so many timeouts without a reply between them, a silence as long as the client's timeout ends a
// connection.
const MAX_TIMEOUTS = 3;

// A silence of fewer round trips than this means nothing. But a stall begins before half of the client's
// timeout is over: late enough for a slow server, early enough for reads to find another way in time.
const ROUND_TRIPS = 4;
const LATEST_STALL = 1 / 2;

// While our event loop was blocked, the server could not send. On a busy machine it needs a while to catch up. We
// assume that it has when nothing has come for this part of the time that the loop was blocked.
const QUIET_PART = 1 / 10;

/** What the silence of a connection is judged by. */
interface SilenceSettings {
  readonly ref: ServerRef;
  /** The client's own timeout, in ms. */
  readonly timeout: number;
  readonly sweep: Sweep;
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
  /**
   * Since when it has been silent although replies are due, on the sweep's clock; Infinity: no reply is
   * due.
   */
  #since = 0;
  /** A silence of so many ms means nothing. 0 until the socket is connected. */
  #roundTrips = 0;
  /** A silence of so many ms is a stall. */
  #patience = Infinity;
  /**
   * How many calls with the client's own timeout, or a longer one, have timed out since something last
   * came.
   */
  #timeouts = 0;
  #stalled = false;
  /** Whether something was read since the last look. */
  #read = false;
  /** The event loop was blocked, and the replies that came meanwhile are still being read. */
  #behind = false;
  #behindUntil = 0;
  /** It is behind until then at most, however often the event loop is blocked meanwhile. */
  #behindUntilLast = 0;
  /** The replies have been read when nothing has come for so many ms. */
  #quietFor = 0;
  /** How many looks in a row have found nothing new while it was behind. */
  #quietLooks = 0;

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
    this.#roundTrips = ROUND_TRIPS * (sweep.now() - this.#begunAt);
    this.#patience = Math.min(
      timeout * LATEST_STALL,
      Math.max(timeout * patience, this.#roundTrips),
    );
  }

  /** From now on replies may be due. */
  ready(): void {
    this.#since = this.#settings.sweep.now();
  }

  /** No reply is due: a silence begins with the next request. */
  rest(): void {
    this.#since = Infinity;
    this.#behind = false; // every reply has come
  }

  asked(now: number): void {
    if (this.#since === Infinity) this.#since = now;
  }

  heard(): void {
    this.#read = true;
    this.#timeouts = 0;
    this.#stalled = false;
    this.#since = this.#settings.sweep.now();
  }

  /**
   * Refuses calls that were overdue at `now`. `blocked` is how long the event loop has not run, in ms. Then
   * replies may still be on their way. Calls that became overdue in that time are refused when nothing has come
   * for a while, or after as much time again. If the loop is blocked again and again, that ends after the
   * client's timeout. Calls that were overdue before are refused once the sockets have been read.
   */
  look(now: number, blocked: number): void {
    const read = this.#read;
    this.#read = false;
    if (blocked > 0 && !this.#behind) {
      this.#fallBehind(blocked);
      afterReading(() => this.#judge(now));
    } else if (blocked > 0 && read) {
      this.#behindUntil = Math.max(this.#behindUntil, this.#settings.sweep.now() + blocked);
      this.#quietFor = Math.max(this.#quietFor, blocked * QUIET_PART);
    }
    if (this.#behind && this.#isBehind(read, blocked)) return;
    this.#behind = false;
    this.#judge(now);
  }

  #fallBehind(blocked: number): void {
    const { timeout, sweep } = this.#settings;
    const now = sweep.now();
    this.#behind = true;
    this.#behindUntil = now + blocked;
    this.#behindUntilLast = now + Math.max(timeout, blocked);
    this.#quietFor = Math.max(this.#roundTrips, blocked * QUIET_PART);
    this.#quietLooks = 0;
  }

  #isBehind(read: boolean, blocked: number): boolean {
    const { sweep } = this.#settings;
    if (read) this.#quietLooks = 0;
    else if (blocked === 0) this.#quietLooks++;
    const quiet = this.#quietLooks > 0 && this.#quietLooks * SWEEP_INTERVAL >= this.#quietFor;
    return !quiet && sweep.now() < Math.min(this.#behindUntil, this.#behindUntilLast);
  }

  #judge(now: number): void {
    const { ref, timeout, onTrial } = this.#settings;
    this.#pending.expire(now, (request, phase) => {
      if (phase === "sent" && request.timeout >= timeout) this.#timeouts++;
      request.refuse(failure.timeout(ref, request, phase));
    });
    if (this.#pending.isStuck(now - 2 * timeout)) return this.#events.isSilent();
    if (!this.#pending.due) return;
    const silence = now - this.#since;
    const enough = this.#timeouts >= MAX_TIMEOUTS || (onTrial && !this.#events.answered);
    if (enough && silence >= timeout) return this.#events.isSilent();
    if (this.#stalled || silence < this.#patience) return;
    this.#stalled = true;
    this.#events.hasStalled();
  }
}

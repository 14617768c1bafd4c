/**
 * When requests are written. All calls that a web server makes in one turn of the event loop leave in one write, when
 * every socket that had something to read has been read: with 50 connections a request took 21 us of CPU in Node 20,
 * and 35 with a write at the end of each tick. A lone call leaves as early.
 */
import { afterReading, setImmediate, wallClock } from "./clock.ts";
import type { Outgoing } from "./outgoing.ts";
import type { Pending } from "./pending.ts";
import type { Request } from "./request.ts";
import type { Silence } from "./silence.ts";
import type { Sweep } from "./sweep.ts";

// After a rest of this many ms the server may have closed the connection while the process slept, so the
// socket is read before the first write.
const REST_MS = 1_000;

/** The batches of one connection. */
export class Batches {
  readonly #pending: Pending;
  readonly #silence: Silence;
  readonly #sweep: Sweep;
  /** A batch begins. */
  readonly #begun: () => void;
  #out: Outgoing | undefined;
  #due = false;
  /** The socket is being read before the batch leaves. Meanwhile requests are not written. */
  #looking = false;
  /** It is overdue, and that was seen once before. */
  #overdue = false;
  /** When the connection was last in use, in ms since 1970: that clock goes on while a machine sleeps. */
  #usedAt = 0;

  constructor(pending: Pending, silence: Silence, sweep: Sweep, begun: () => void) {
    this.#pending = pending;
    this.#silence = silence;
    this.#sweep = sweep;
    this.#begun = begun;
  }

  /** Whether a batch has begun that has not left. */
  get due(): boolean {
    return this.#due;
  }

  /** The connection is in use. */
  used(): void {
    this.#usedAt = wallClock();
  }

  /** The handshake is through: what has waited for it leaves. */
  ready(out: Outgoing): void {
    this.#out = out;
    this.used();
    this.#writeUnsent();
    out.flush();
    out.restart();
    this.writeWaiting();
  }

  /** The connection has ended: nothing leaves any more. */
  end(): void {
    this.#due = false;
  }

  /** Begins a batch, unless one has begun. */
  begin(): void {
    if (this.#due) return;
    this.#due = true;
    const resting = this.#out !== undefined && !this.#pending.due;
    if (resting) this.#silence.rest();
    if (resting && wallClock() - this.#usedAt >= REST_MS) {
      this.#looking = true;
      this.#overdue = false;
      afterReading(this.flush);
    } else setImmediate(this.flush);
    this.#out?.restart();
    this.#begun();
  }

  /** Puts a request into the batch that has begun. */
  write(request: Request<unknown>): void {
    if (this.#out !== undefined && !this.#looking) this.#out.add(request);
    else this.#pending.pushUnsent(request);
  }

  /** Replies have come, so there may be room for requests that wait for it. */
  writeWaiting(): void {
    for (;;) {
      const request = this.#pending.shiftWaiting();
      if (request === undefined) return;
      this.begin();
      this.write(request);
    }
  }

  /** Writes the batch, if one is due. */
  readonly flush = (): void => {
    if (!this.#due) return;
    if (this.#looking) {
      this.#writeUnsent();
      // Calls that were aborted meanwhile have left room, and no reply will come that says so. They belong to this
      // batch, so it is due until now: a new one would begin where this one stands.
      this.writeWaiting();
    }
    this.#due = false;
    const now = this.#sweep.now();
    this.#pending.setDeadlines(now);
    this.#silence.asked(now);
    this.#out?.flush();
  };

  /**
   * Writes a batch that is overdue, as it is if a fake of one of the runtime's functions has swallowed its turn. A
   * caller that has blocked the event loop makes it overdue too: then the socket is still read first.
   */
  flushOverdue(): void {
    if (this.#looking && !this.#overdue) this.#overdue = true;
    else this.flush();
  }

  /** Writes the requests that have waited for the connection. */
  #writeUnsent(): void {
    this.#looking = false;
    for (;;) {
      const request = this.#pending.shiftUnsent();
      if (request === undefined) return;
      this.#out?.add(request);
    }
  }
}

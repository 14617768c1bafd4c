/**
 * The clock of a client: one timer looks at all deadlines, since a timer for each call costs up to four
 * fifths of the throughput.
 */
import { clearInterval, elapsed, setInterval } from "./clock.ts";

/**
 * Milliseconds between two looks. The second look after a call's deadline rejects it. That is 50 ms late
 * at most, even if both looks come a little late.
 */
export const SWEEP_INTERVAL = 15;

// If a look comes this long after the one before, the event loop was blocked.
const LATE_MS = 2 * SWEEP_INTERVAL;

/** What the sweep looks at. */
export interface Swept {
  /**
   * Rejects the calls that were overdue at `time`; false: there is nothing more to watch. `blocked`: for
   * so many ms the event loop has not run, and replies may wait to be read; else 0.
   */
  sweep(time: number, blocked: number): boolean;
}

/** Looks at the deadlines of all requests in flight. The timer runs only while there are some. */
export class Sweep {
  readonly #watched = new Set<Swept>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #last = 0;

  /** The clock of the deadlines, in milliseconds. */
  now(): number {
    return elapsed();
  }

  /** Looks at `swept` from now on, until it returns false. */
  watch(swept: Swept): void {
    this.#watched.add(swept);
    if (this.#timer !== undefined) return;
    this.#last = this.now();
    this.#timer = setInterval(() => this.#tick(), SWEEP_INTERVAL);
    // A call's socket keeps the process alive; the sweep never does.
    this.#timer.unref();
  }

  #tick(): void {
    // Calls are rejected that were overdue at the last look, since the sockets have been read since then.
    // After the event loop was blocked, timers run first, and the replies may already be in the sockets.
    const time = this.#last;
    this.#last = this.now();
    const gap = this.#last - time;
    const blocked = gap > LATE_MS ? gap - SWEEP_INTERVAL : 0;
    for (const swept of this.#watched) {
      if (!swept.sweep(time, blocked)) this.#watched.delete(swept);
    }
    if (this.#watched.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  }
}

/**
 * The clock of a client: one timer looks at all deadlines, for a timer a call costs up to four fifths
 * of the throughput.
 */
import { clearInterval, elapsed, setInterval } from "./clock.ts";

/** Milliseconds between two looks. A call is rejected by the second one after its deadline: 50 at most. */
const SWEEP_INTERVAL = 20;

// A look that comes so long after the one before finds an event loop that was blocked.
const LATE_MS = 1.5 * SWEEP_INTERVAL;

/** What the sweep looks at. */
export interface Swept {
  /**
   * Rejects what was overdue at `time`; false: there is nothing left to look at. `blocked`: for so many ms
   * the event loop has not run, and replies may wait to be read; else 0.
   */
  sweep(time: number, blocked: number): boolean;
}

/** Looks at the deadlines of whatever has requests in flight; runs only while something has. */
export class Sweep {
  readonly #watched = new Set<Swept>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #last = 0;

  /** The clock that deadlines are on, in milliseconds. */
  now(): number {
    return elapsed();
  }

  /** Looks at `swept` from now on, until it has nothing left. */
  watch(swept: Swept): void {
    this.#watched.add(swept);
    if (this.#timer !== undefined) return;
    this.#last = this.now();
    this.#timer = setInterval(() => this.#tick(), SWEEP_INTERVAL);
    // A call's socket keeps the process alive; the sweep never does.
    this.#timer.unref();
  }

  #tick(): void {
    // What was overdue at the last look. Since then sockets were read: after a blocked event loop
    // timers come first, and the replies may be here.
    const time = this.#last;
    this.#last = this.now();
    const gap = this.#last - time;
    const blocked = gap > LATE_MS ? gap : 0;
    for (const swept of this.#watched) {
      if (!swept.sweep(time, blocked)) this.#watched.delete(swept);
    }
    if (this.#watched.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  }
}

/**
 * The clock of a client: one timer looks at all deadlines, for a timer a call costs up to four fifths
 * of the throughput.
 */

/** Milliseconds between two looks. */
export const SWEEP_INTERVAL = 25;

/** What the sweep looks at. */
export interface Swept {
  /** Rejects what is overdue; false: there is nothing left to look at. */
  sweep(now: number): boolean;
}

/** Looks at the deadlines of whatever has requests in flight; runs only while something has. */
export class Sweep {
  readonly #watched = new Set<Swept>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #last = 0;
  #passed = false;

  /** The clock that deadlines are on, in milliseconds. */
  now(): number {
    return performance.now();
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
    const now = this.now();
    const late = now - this.#last > 2 * SWEEP_INTERVAL;
    this.#last = now;
    // After a blocked event loop timers run before sockets are read: the replies may be here. One
    // round is let pass, so that they are seen first; setImmediate would do in Node only.
    this.#passed = late && !this.#passed;
    if (this.#passed) return;
    for (const swept of this.#watched) {
      if (!swept.sweep(now)) this.#watched.delete(swept);
    }
    if (this.#watched.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  }
}

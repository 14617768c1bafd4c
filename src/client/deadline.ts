/** One deadline for an operation of several commands. */
import { onAbort } from "../connection/abort.ts";
import { clearTimeout, setTimeout } from "../connection/clock.ts";
import type { Sweep } from "../connection/sweep.ts";
import { TimeoutError } from "../errors.ts";
import { CheckedOptions } from "./options.ts";

/** Is counted from when it is made. Each command of the operation gets the time that remains. */
export class Deadline {
  readonly #clock: Sweep;
  readonly #timeout: number;
  readonly #end: number;
  readonly #signal: AbortSignal | undefined;
  #first = true;

  /** `timeout` in ms, checked. */
  constructor(clock: Sweep, timeout: number, signal: AbortSignal | undefined) {
    this.#clock = clock;
    this.#timeout = timeout;
    this.#end = clock.now() + timeout;
    this.#signal = signal;
  }

  /**
   * Options for the next command, with a `ttl` in seconds if it stores. Throws a TimeoutError if no time
   * remains, or the signal's reason.
   */
  options(ttl?: number): CheckedOptions {
    this.#signal?.throwIfAborted();
    // The first command gets exactly the whole timeout: one as long as the client's own counts against a
    // silent server, a shorter one does not.
    const timeout = this.#first ? this.#timeout : this.#end - this.#clock.now();
    this.#first = false;
    if (timeout <= 0) throw this.#passed();
    return new CheckedOptions(timeout, this.#signal, ttl, true);
  }

  /** Whether the caller has given up. Then a rejection is the signal's reason, which may be any error at all. */
  get aborted(): boolean {
    return this.#signal?.aborted === true;
  }

  /** Whether no time remains. */
  get passed(): boolean {
    return this.#clock.now() >= this.#end;
  }

  /**
   * Settles as somebody else's promise does, or rejects with what {@link options} would throw if that
   * takes too long.
   */
  within<T>(promise: PromiseLike<T>): Promise<T> {
    let options: CheckedOptions;
    try {
      options = this.options();
    } catch (error) {
      // Nobody waits for the promise any more, so its rejection must not end the process.
      promise.then(undefined, () => undefined);
      return Promise.reject(error);
    }
    const { timeout, signal } = options;
    return new Promise<T>((resolve, reject) => {
      const forget = signal === undefined
        ? undefined
        : onAbort(signal, (reason) => settle(() => reject(reason)));
      // Not unref'd: a pending call keeps the process alive, and no socket does that here.
      const timer = setTimeout(() => settle(() => reject(this.#passed())), timeout);
      const settle = (settled: () => void): void => {
        clearTimeout(timer);
        forget?.();
        settled();
      };
      promise.then((value) => settle(() => resolve(value)), (e) => settle(() => reject(e)));
    });
  }

  /** Waits for a random time of at most `mostMs` milliseconds, so that writers do not collide again. */
  pause(mostMs: number): Promise<void> {
    return this.within(new Promise((resolve) => setTimeout(resolve, Math.random() * mostMs)));
  }

  #passed(): TimeoutError {
    return new TimeoutError(`the operation did not finish within ${this.#timeout} ms`, {
      phase: "queued",
    });
  }
}

/** One deadline for an operation of several commands. */
import { onAbort } from "../connection/abort.ts";
import { clearTimeout, setTimeout } from "../connection/clock.ts";
import type { Sweep } from "../connection/sweep.ts";
import { TimeoutError } from "../errors.ts";
import { CheckedOptions } from "./options.ts";

/** Counts from its making; each command of the operation gets what is left. */
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
   * Options for the next command, which lets it live for `ttl` seconds if it stores. Throws a
   * TimeoutError if nothing is left, or the signal's reason.
   */
  options(ttl?: number): CheckedOptions {
    this.#signal?.throwIfAborted();
    // The first command has it all, to the last microsecond: a timeout of the client's own length
    // counts against a silent server, a shorter one does not.
    const timeout = this.#first ? this.#timeout : this.#end - this.#clock.now();
    this.#first = false;
    if (timeout <= 0) throw this.#passed();
    return new CheckedOptions(timeout, this.#signal, ttl, true);
  }

  /** Whether nothing is left. */
  get passed(): boolean {
    return this.#clock.now() >= this.#end;
  }

  /** What becomes of somebody else's promise, or what {@link options} throws if that takes too long. */
  within<T>(promise: PromiseLike<T>): Promise<T> {
    let options: CheckedOptions;
    try {
      options = this.options();
    } catch (error) {
      // Nobody waits for it any more, and if it rejects that must not end the process.
      promise.then(undefined, () => undefined);
      return Promise.reject(error);
    }
    const { timeout, signal } = options;
    return new Promise<T>((resolve, reject) => {
      const forget = signal === undefined
        ? undefined
        : onAbort(signal, (reason) => settle(() => reject(reason)));
      // Not unref'd: a pending call keeps the process alive, and here is no socket that would.
      const timer = setTimeout(() => settle(() => reject(this.#passed())), timeout);
      const settle = (settled: () => void): void => {
        clearTimeout(timer);
        forget?.();
        settled();
      };
      promise.then((value) => settle(() => resolve(value)), (e) => settle(() => reject(e)));
    });
  }

  /** Waits for a random time of at most `mostMs`, so that writers that met once part. */
  pause(mostMs: number): Promise<void> {
    return this.within(new Promise((resolve) => setTimeout(resolve, Math.random() * mostMs)));
  }

  #passed(): TimeoutError {
    return new TimeoutError(`the operation did not finish within ${this.#timeout} ms`, {
      phase: "queued",
    });
  }
}

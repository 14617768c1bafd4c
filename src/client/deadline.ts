/** One deadline for an operation of several commands. */
import { TimeoutError } from "../errors.ts";
import type { Core } from "./core.ts";
import { type CallOptions, callTimeout } from "./options.ts";

/** Options of a command that is a part of an operation. */
export interface PartOptions extends CallOptions {
  /** The operation began before the client was closed, if it was: what it has begun it may end. */
  readonly begun?: true;
}

/** Counts from its making; each command of the operation gets what is left. */
export class Deadline {
  readonly #core: Core;
  readonly #timeout: number;
  readonly #end: number;
  readonly #signal: AbortSignal | undefined;
  #first = true;

  constructor(core: Core, options: CallOptions | undefined) {
    this.#core = core;
    this.#timeout = callTimeout(options, core.options.timeout);
    this.#end = core.sweep.now() + this.#timeout;
    this.#signal = options?.signal;
  }

  /** Options for the next command. Throws a TimeoutError if nothing is left, or the signal's reason. */
  left(): PartOptions {
    this.#signal?.throwIfAborted();
    // The first command has it all, to the last microsecond: a timeout of the client's own length
    // counts against a silent server, a shorter one does not.
    const timeout = this.#first ? this.#timeout : this.#end - this.#core.sweep.now();
    this.#first = false;
    if (timeout <= 0) throw this.#passed();
    const begun = true;
    return this.#signal === undefined
      ? { timeout, begun }
      : { timeout, begun, signal: this.#signal };
  }

  /** What becomes of somebody else's promise, or what {@link left} throws if that takes too long. */
  within<T>(promise: PromiseLike<T>): Promise<T> {
    let part: PartOptions;
    try {
      part = this.left();
    } catch (error) {
      // Nobody waits for it any more, and if it rejects that must not end the process.
      promise.then(undefined, () => undefined);
      return Promise.reject(error);
    }
    const { timeout, signal } = part;
    return new Promise<T>((resolve, reject) => {
      const aborted = (): void => settle(() => reject(signal?.reason));
      // Not unref'd: a pending call keeps the process alive, and here is no socket that would.
      const timer = setTimeout(() => settle(() => reject(this.#passed())), timeout);
      const settle = (settled: () => void): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", aborted);
        settled();
      };
      signal?.addEventListener("abort", aborted, { once: true });
      promise.then((value) => settle(() => resolve(value)), (e) => settle(() => reject(e)));
    });
  }

  #passed(): TimeoutError {
    return new TimeoutError(`the operation did not finish within ${this.#timeout} ms`);
  }
}

/** One deadline for an operation of several commands. */
import { TimeoutError } from "../errors.ts";
import type { Core } from "./core.ts";
import { type CallOptions, callTimeout } from "./options.ts";

/** Counts from its making; each command of the operation gets what is left. */
export class Deadline {
  readonly #core: Core;
  readonly #timeout: number;
  readonly #end: number;
  readonly #signal: AbortSignal | undefined;

  constructor(core: Core, options: CallOptions | undefined) {
    this.#core = core;
    this.#timeout = callTimeout(options, core.options.timeout);
    this.#end = core.sweep.now() + this.#timeout;
    this.#signal = options?.signal;
  }

  /** Options for the next command. Throws a TimeoutError if nothing is left, or the signal's reason. */
  left(): CallOptions {
    this.#signal?.throwIfAborted();
    const timeout = this.#end - this.#core.sweep.now();
    if (timeout <= 0) {
      throw new TimeoutError(`the operation did not finish within ${this.#timeout} ms`);
    }
    return this.#signal === undefined ? { timeout } : { timeout, signal: this.#signal };
  }
}

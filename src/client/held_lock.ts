/** What lock resolves to: in a file of its own, for its declaration is published. */

/** A lock that is held. For efficiency, not for correctness: an eviction or a restart of the server loses it. */
export interface Lock extends AsyncDisposable {
  /** Rises from holder to holder within one server's life. */
  readonly token: bigint;
  /** Aborts a second before the lock ends, and when it turns out to be lost. */
  readonly signal: AbortSignal;
  /**
   * Holds it for `ttl` seconds from now on, at least 2; default: the first ttl. false: it is not ours any
   * more. A `signal` that has aborted stays so.
   */
  extend(ttl?: number): Promise<boolean>;
  /** Gives it back. false: it was not ours any more, or an earlier release whose reply was lost has done it. */
  release(): Promise<boolean>;
  /** {@link Lock.release}, for `await using`; it does not reject: what cannot be released ends by itself. */
  [Symbol.asyncDispose](): Promise<void>;
}

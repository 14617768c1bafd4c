/** What lock resolves to. A file of its own, since its declaration is published. */

/**
 * A lock that is held. It is for efficiency, not for correctness: an eviction or a restart of the server
 * loses it.
 */
export interface Lock extends AsyncDisposable {
  /** Rises from holder to holder until the server restarts. */
  readonly token: bigint;
  /** Aborts a second before the lock ends, or when the lock turns out to be lost. */
  readonly signal: AbortSignal;
  /**
   * Holds the lock for `ttl` seconds from now on, at least 2; default: the first ttl. false: it is not
   * ours any more. If `signal` has aborted, it stays aborted.
   */
  extend(ttl?: number): Promise<boolean>;
  /**
   * Gives the lock back. false: it was not ours any more, or an earlier release, whose reply was lost,
   * has given it back.
   */
  release(): Promise<boolean>;
  /**
   * {@link Lock.release}, for `await using`; it does not reject: a lock that cannot be released ends by
   * itself.
   */
  [Symbol.asyncDispose](): Promise<void>;
}

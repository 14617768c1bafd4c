/**
 * Since when a loader has been at work on a key, as far as this client has seen. This tells a loader that
 * has died from a slow one. The server does not tell: the mark of a winner that has died stays, even
 * after a `touch`.
 */

// For how many keys the client remembers a token. The one that was seen first is dropped first.
const MAX_KEYS = 1000;

/** What was seen, by key. */
export class Seen {
  readonly #now: () => number;
  readonly #tokens = new Map<string, { token: string; since: number }>();

  /** `now` in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Whether this token has been there for `seconds`, counted from the first time that it was seen. */
  aged(key: string, token: string, seconds: number): boolean {
    const seen = this.#tokens.get(key);
    const now = this.#now();
    if (seen?.token === token) return now - seen.since >= seconds * 1000;
    this.forget(key);
    this.#tokens.set(key, { token, since: now });
    if (this.#tokens.size > MAX_KEYS) {
      for (const oldest of this.#tokens.keys()) {
        this.#tokens.delete(oldest);
        break;
      }
    }
    return false;
  }

  /** Forgets the key, whose load has ended. */
  forget(key: string): void {
    if (this.#tokens.size > 0) this.#tokens.delete(key);
  }
}

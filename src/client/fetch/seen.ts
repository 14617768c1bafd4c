/**
 * Since when a loader is at work on a key, as far as this client has seen: what tells a loader that has died
 * from one that is slow. A server tells neither: after a winner that died, its mark stays even through
 * `touch`.
 */

// Keys of which the client remembers a token; the one that was seen first goes first.
const MAX_KEYS = 1000;

/** What was seen, by key. */
export class Seen {
  readonly #now: () => number;
  readonly #tokens = new Map<string, { token: string; since: number }>();

  /** `now` in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Whether this token has stood there for `seconds`; the first time that it is seen, it has not. */
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

  /** The key is somebody else's business now. */
  forget(key: string): void {
    if (this.#tokens.size > 0) this.#tokens.delete(key);
  }
}

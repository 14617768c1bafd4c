/** Decides which connection works when. All together they hold the event loop for a few ms at a time. */
import { milliseconds, soon } from "./timers.ts";

/** How many milliseconds of one turn of the event loop connections may use. */
const SLICE = 10;

/** The turns of one server's connections. */
export class Schedule {
  /** When work began in this turn of the event loop. */
  #begun: number | undefined;
  readonly #waiting: (() => void)[] = [];
  #armed = false;

  /** Whether there is time left in this turn. */
  hasTime(): boolean {
    if (this.#begun === undefined) {
      this.#begun = milliseconds();
      soon(() => this.#begun = undefined);
    }
    return milliseconds() - this.#begun < SLICE;
  }

  /** Calls back in a later turn, after those that are already waiting. */
  later(work: () => void): void {
    this.#waiting.push(work);
    this.#arm();
  }

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    soon(() => {
      this.#armed = false;
      this.#begun = undefined;
      do this.#waiting.shift()?.(); while (this.#waiting.length > 0 && this.hasTime());
      if (this.#waiting.length > 0) this.#arm();
    });
  }
}

/** The faults that a test has ordered. Links and commands look them up here. */
import { operationOf } from "./calls.ts";

/** How slow connections are. */
export interface Slowness {
  /** Milliseconds by which every reply is delayed. Default 0. */
  readonly latency?: number | undefined;
  /** Bytes per second that a connection carries in each direction. Default: no limit. */
  readonly bytesPerSecond?: number | undefined;
}

/** Where and how a connection is cut. */
export interface Cut {
  /** How many bytes it still sends. Default 0. */
  readonly after?: number | undefined;
  /** Whether it is cut by a reset (RST) instead of an ordinary end (FIN). Default false. */
  readonly reset?: boolean | undefined;
}

/** A cut that was ordered. */
export type OrderedCut = { readonly after: number; readonly reset: boolean };

interface Failure {
  readonly line: string;
  times: number;
}

/** All faults of one server. */
export class Faults {
  #slow: Slowness | null = null;
  #stalled = false;
  #cut: OrderedCut | undefined;
  readonly #failures = new Map<string, Failure>();
  readonly #watchers = new Set<() => void>();

  /** How slow the connections are. */
  get slow(): Slowness | null {
    return this.#slow;
  }
  set slow(slowness: Slowness | null) {
    this.#slow = slowness;
    this.#changed();
  }

  /** Whether nothing is read or answered. */
  get stalled(): boolean {
    return this.#stalled;
  }
  set stalled(stalled: boolean) {
    this.#stalled = stalled;
    this.#changed();
  }

  /** Calls `watcher` when `slow` or `stalled` has changed, until the function returned is called. */
  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Does something now, or if the server is stalled, when the stall ends. */
  whenFlowing(work: () => void): void {
    if (!this.#stalled) return work();
    const unwatch = this.watch(() => {
      if (this.#stalled) return;
      unwatch();
      work();
    });
  }

  /** Orders a cut of the connection that sends next. */
  orderCut({ after = 0, reset = false }: Cut): void {
    this.#cut = { after, reset };
  }

  /** Takes the ordered cut, so that only one connection gets it. */
  takeCut(): OrderedCut | undefined {
    const cut = this.#cut;
    this.#cut = undefined;
    return cut;
  }

  /** Orders this line as the answer to the next `times` commands of this name. */
  orderFailure(command: string, line: string, times: number): void {
    if (times > 0) this.#failures.set(command, { line, times });
    else this.#failures.delete(command);
  }

  /** Returns the line that was ordered as the answer to this command, if there is one. */
  takeFailure(tokens: readonly string[]): string | undefined {
    if (this.#failures.size === 0) return undefined;
    const name = tokens[0]!;
    const key = this.#failures.has(name) ? name : operationOf(tokens);
    const failure = this.#failures.get(key);
    if (failure === undefined) return undefined;
    if (--failure.times === 0) this.#failures.delete(key);
    return failure.line;
  }

  #changed(): void {
    for (const watcher of this.#watchers) watcher();
  }
}

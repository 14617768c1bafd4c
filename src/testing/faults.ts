/** What a test has ordered to go wrong; the links and the commands look here. */
import { operationOf } from "./calls.ts";

/** A line that is slow. */
export interface Slowness {
  /** Milliseconds by which every reply comes later. Default 0. */
  readonly latency?: number | undefined;
  /** Bytes that a connection carries a second, in each direction. Default: as fast as it goes. */
  readonly bytesPerSecond?: number | undefined;
}

/** Where a connection is cut. */
export interface Cut {
  /** Bytes that it still sends. Default 0. */
  readonly after?: number | undefined;
  /** By a reset (RST) instead of an ordinary end (FIN). Default false. */
  readonly reset?: boolean | undefined;
}

/** A cut that was ordered. */
export type OrderedCut = { readonly after: number; readonly reset: boolean };

interface Failure {
  readonly line: string;
  left: number;
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

  /** Does something now, or when the server is no longer stalled. */
  whenFlowing(work: () => void): void {
    if (!this.#stalled) return work();
    const unwatch = this.watch(() => {
      if (this.#stalled) return;
      unwatch();
      work();
    });
  }

  /** The connection that sends next is to be cut. */
  orderCut({ after = 0, reset = false }: Cut): void {
    this.#cut = { after, reset };
  }

  /** The cut that was ordered, for the one connection that takes it. */
  takeCut(): OrderedCut | undefined {
    const cut = this.#cut;
    this.#cut = undefined;
    return cut;
  }

  /** The next `times` commands of this name are to be answered with a line. */
  orderFailure(command: string, line: string, times: number): void {
    if (times > 0) this.#failures.set(command, { line, left: times });
    else this.#failures.delete(command);
  }

  /** The line that stands in for this command's reply. */
  takeFailure(tokens: readonly string[]): string | undefined {
    if (this.#failures.size === 0) return undefined;
    const name = tokens[0]!;
    const key = this.#failures.has(name) ? name : operationOf(tokens);
    const failure = this.#failures.get(key);
    if (failure === undefined) return undefined;
    if (--failure.left === 0) this.#failures.delete(key);
    return failure.line;
  }

  #changed(): void {
    for (const watcher of this.#watchers) watcher();
  }
}

/** The interface between the driver and the contenders. */
import type { Workload } from "./workloads.ts";

/** The addresses of the servers. */
export interface Place {
  readonly memcached: readonly string[];
  readonly redis: string | undefined;
}

/** Runs a workload for a while. */
export interface Running {
  /** Begins operations for `ms` ms, and resolves to the number of operations done. */
  run(ms: number): Promise<number>;
  close(): void | Promise<void>;
  /** Milliseconds that operations of the last run took, if that is what the workload asks for. */
  readonly latencies?: readonly number[];
}

/** Something that can be measured. It returns undefined for a workload that it cannot do. */
export type Contender = (
  workload: Workload,
  place: Place,
) => Promise<Running | undefined>;

/** Times one small operation after another, while `inFlight` large ones are going on beside them. */
export function besideLoop(
  inFlight: number,
  small: (i: number) => Promise<unknown>,
  large: (i: number) => Promise<unknown>,
  close: () => void | Promise<void>,
): Running {
  const latencies: number[] = [];
  let i = 0;
  return {
    latencies,
    async run(ms): Promise<number> {
      latencies.length = 0;
      let over = false;
      const timer = setTimeout(() => over = true, ms);
      const beside = Array.from({ length: inFlight }, async () => {
        while (!over) await large(i++);
      });
      while (!over) {
        const begun = performance.now();
        await small(i++);
        latencies.push(performance.now() - begun);
      }
      await Promise.all(beside);
      clearTimeout(timer);
      return latencies.length;
    },
    close,
  };
}

/** Keeps `inFlight` operations going: each begins when another one has ended. */
export function closedLoop(
  inFlight: number,
  operation: (i: number) => Promise<unknown>,
  close: () => void | Promise<void>,
): Running {
  let i = 0;
  return {
    async run(ms): Promise<number> {
      let done = 0;
      let over = false;
      const timer = setTimeout(() => over = true, ms);
      const worker = async (): Promise<void> => {
        while (!over) {
          await operation(i++);
          done++;
        }
      };
      await Promise.all(Array.from({ length: inFlight }, worker));
      clearTimeout(timer);
      return done;
    },
    close,
  };
}

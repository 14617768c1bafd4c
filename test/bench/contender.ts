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
}

/** Something that can be measured. It returns undefined for a workload that it cannot do. */
export type Contender = (
  workload: Workload,
  place: Place,
) => Promise<Running | undefined>;

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

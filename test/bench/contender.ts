/** The seam between the driver and what it drives. */
import type { Workload } from "./workloads.ts";

/** Where the servers are. */
export interface Place {
  readonly memcached: readonly string[];
  readonly redis: string | undefined;
}

/** Runs a workload for a while. */
export interface Running {
  /** Resolves to the operations done; `ms` is how long new ones are begun. */
  run(ms: number): Promise<number>;
  close(): void | Promise<void>;
}

/** Something that can be measured; undefined: it has no way to do this workload. */
export type Contender = (
  workload: Workload,
  place: Place,
) => Promise<Running | undefined>;

/** Keeps `inFlight` operations going, each begun when one has ended. */
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

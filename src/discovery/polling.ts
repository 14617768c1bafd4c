/** Asking again and again, off everybody's path. */
import type { ServerSpec } from "../address.ts";
import { invalidRange, invalidType } from "../errors.ts";
import { kindOf } from "../checks/values.ts";
import type { Discovery } from "../cluster/discovery.ts";
import { clearTimeout, setTimeout } from "../connection/clock.ts";

/** What is asked. */
export interface Source {
  /** Asks once. Calls that wait for the answer keep the process alive by themselves. */
  ask(): Promise<readonly ServerSpec[]>;
  /** Ends what is being asked, for good. */
  close(): void;
}

// Until there is a first list: after so long, then after twice the time, up to the interval.
const FIRST_RETRY_MS = 100;

// Clients that were started together must not ask together.
const JITTER = 0.2;

// The longest delay that timers take.
const MAX_SECONDS = (2 ** 31 - 1) / 1000 / (1 + JITTER);

/** A Discovery that asks a source every so many seconds, more or less. */
export function polling(open: () => Source, interval: number): Discovery {
  return {
    watch(onServers, onError): { close(): void } {
      const source = open();
      let timer: ReturnType<typeof setTimeout> | undefined;
      let found = false;
      let closed = false;
      let retry = FIRST_RETRY_MS;
      const ask = async (): Promise<void> => {
        try {
          const servers = await source.ask();
          if (closed) return;
          onServers(servers);
          found = true;
        } catch (error) {
          if (closed) return;
          onError(error);
        }
        const ms = found ? interval * 1000 : Math.min(retry, interval * 1000);
        retry *= 2;
        timer = setTimeout(() => void ask(), ms * (1 + JITTER * (2 * Math.random() - 1)));
        timer.unref();
      };
      void ask();
      return {
        close(): void {
          closed = true;
          clearTimeout(timer);
          source.close();
        },
      };
    },
  };
}

/** A number of seconds between two questions. */
export function checkInterval(interval: unknown): number {
  if (typeof interval !== "number") {
    throw invalidType(`interval must be a number of seconds, not ${kindOf(interval)}`);
  }
  if (!(interval > 0 && interval <= MAX_SECONDS)) {
    throw invalidRange(
      `interval must be more than 0 and at most ${Math.floor(MAX_SECONDS)} seconds`,
    );
  }
  return interval;
}

/** A Discovery that asks for the list at intervals, in the background. */
import type { ServerSpec } from "../address.ts";
import { invalidRange, invalidType } from "../errors.ts";
import { kindOf } from "../checks/values.ts";
import type { Discovery } from "../cluster/discovery.ts";
import { clearTimeout, setTimeout } from "../connection/clock.ts";

/** Something that can be asked for the list of servers. */
export interface Source {
  /** Asks once. It need not keep the process alive: client calls that wait for the answer do so. */
  ask(): Promise<readonly ServerSpec[]>;
  /** Ends a question that is in progress. Nothing is asked after this. */
  close(): void;
}

// Until there is a first list, ask again after this time, then after twice as long, and so on up to the interval.
const FIRST_RETRY_MS = 100;

// Vary the interval by a fifth, so that clients that were started together do not all ask together.
const JITTER = 0.2;

// Timers take at most 2^31 - 1 ms.
const MAX_SECONDS = (2 ** 31 - 1) / 1000 / (1 + JITTER);

/** Makes a Discovery that asks a source every `interval` seconds, varied by up to a fifth. */
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

/** Checks the number of seconds between two questions. */
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

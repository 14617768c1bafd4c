/** Waiting between two tries. */
import { onAbort } from "../connection/abort.ts";
import { clearTimeout, setTimeout } from "../connection/clock.ts";

/** Resolves after so many milliseconds; rejects with the signal's reason if that aborts first. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  let end = (): void => {};
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    const forget = signal === undefined ? undefined : onAbort(signal, reject);
    end = (): void => {
      clearTimeout(timer);
      forget?.();
    };
  }).finally(() => end());
}

/** Waiting between two tries. */
import type { Closable } from "../cluster/server.ts";
import { onAbort } from "../connection/abort.ts";
import { clearTimeout, setTimeout } from "../connection/clock.ts";

/**
 * Resolves after so many milliseconds. Rejects with the signal's reason if that aborts first, and with
 * the error of the client's end if it is given the client's `closables` and the client closes first.
 */
export async function pause(
  ms: number,
  signal?: AbortSignal,
  closables?: Set<Closable>,
): Promise<void> {
  signal?.throwIfAborted();
  let end = (): void => {};
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    const forget = signal === undefined ? undefined : onAbort(signal, reject);
    const closable = { close: reject };
    closables?.add(closable);
    end = (): void => {
      clearTimeout(timer);
      forget?.();
      closables?.delete(closable);
    };
  }).finally(() => end());
}

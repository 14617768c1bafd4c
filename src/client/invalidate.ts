/** invalidate: deletes an item, or marks it as stale. */
import { readOptions } from "../checks/options.ts";
import { toExptime } from "../protocol/exptime.ts";
import type { Core } from "./core.ts";
import { checkStale } from "./fetch/options.ts";
import { type CallOptions, checkedOptions } from "./options.ts";
import { doneOrNotResult } from "./results.ts";

/** Options of invalidate. */
interface InvalidateOptions extends CallOptions {
  /** Seconds in which the old value may still be served. */
  stale?: number | undefined;
}

/**
 * Both change the item's token, so a value that is being loaded from the old state is not stored. Classic
 * has no such mark, so its dialect sends a delete.
 */
export async function invalidate(
  core: Core,
  key: string,
  options: InvalidateOptions | undefined,
): Promise<boolean> {
  const { stale, timeout, signal } = readOptions<InvalidateOptions>(options, {
    timeout: undefined,
    signal: undefined,
    stale: undefined,
  });
  const call = checkedOptions(timeout, signal, undefined, core.options.timeout);
  const seconds = stale === undefined ? 0 : checkStale(stale);
  if (seconds === 0) return await core.ask("delete", key, doneOrNotResult, call);
  const request = core.request("invalidate", key, doneOrNotResult, call);
  request.exptime = toExptime(seconds, undefined, "stale");
  return await core.send(request, call);
}

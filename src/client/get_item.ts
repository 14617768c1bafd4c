/** getItem: a value with its token, flags and TTL, which may be set anew with it. */
import { readOptions } from "../checks/options.ts";
import type { Core } from "./core.ts";
import type { Item } from "./item.ts";
import { type CallOptions, checkedOptions } from "./options.ts";
import { itemResult } from "./results.ts";

/** Options of getItem. */
interface ItemOptions extends CallOptions {
  /** Seconds to live from now on. */
  touch?: number | undefined;
}

/** The item, or undefined when absent. */
export async function getItem<T>(
  core: Core,
  key: string,
  options: ItemOptions | undefined,
): Promise<Item<T> | undefined> {
  const { touch, timeout, signal } = readOptions<ItemOptions>(options, {
    timeout: undefined,
    signal: undefined,
    touch: undefined,
  });
  const call = checkedOptions(timeout, signal, undefined, core.options.timeout);
  return await core.ask("gets", key, itemResult<T>(core.codec, touch), call, touch);
}

/** getItem: a value with its token, flags and ttl, which it can also set. */
import { readOptions } from "../checks/options.ts";
import type { Commands } from "./commands.ts";
import type { Item } from "./item.ts";
import { type CallOptions, checkedOptions } from "./options.ts";

/** Options of getItem. */
interface ItemOptions extends CallOptions {
  /** The new ttl in seconds. */
  touch?: number | undefined;
}

/** The item, or undefined when absent. */
export async function getItem<T>(
  commands: Commands<unknown>,
  key: string,
  options: ItemOptions | undefined,
): Promise<Item<T> | undefined> {
  const { touch, timeout, signal } = readOptions<ItemOptions>(options, {
    timeout: undefined,
    signal: undefined,
    touch: undefined,
  });
  const call = checkedOptions(timeout, signal, undefined, commands.core.options.timeout);
  return await commands.getItem(key, call, touch) as Item<T> | undefined;
}

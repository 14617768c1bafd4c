/** fetch: the value, else what the loader makes of it. */
import { invalidType } from "../../errors.ts";
import { checkKey } from "../../protocol/key.ts";
import { type FetchOptions, readFetchOptions } from "./options.ts";
import type { Flights, Loader } from "./flights.ts";

/** Makes a value. */
export type Load<T> = (
  context: { stale: T | undefined; signal: AbortSignal },
) => T | undefined | Promise<T | undefined>;

/** The value for the key. */
export function fetch<T>(
  flights: Flights,
  key: string,
  load: Load<T>,
  options: FetchOptions,
): Promise<T | undefined> {
  try {
    const { core } = flights;
    const wireKey = checkKey(key, core.options.prefix);
    if (typeof load !== "function") throw invalidType("fetch needs a function that loads");
    const settings = readFetchOptions(options, core.options.timeout);
    const loader = { load, waits: nothing } as Loader;
    return flights.fetch(wireKey, loader, settings, core) as Promise<T | undefined>;
  } catch (error) {
    return Promise.reject(error);
  }
}

const nothing = (): void => undefined;

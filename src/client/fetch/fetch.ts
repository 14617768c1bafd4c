/** fetch: the value, or the one that the loader returns. */
import { checkFunction } from "../../checks/values.ts";
import { type FetchOptions, readFetchOptions } from "./options.ts";
import type { Flights, Load as UntypedLoad } from "./flights.ts";

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
    const wireKey = core.wireKey(key);
    checkFunction(load, "fetch needs a function that loads");
    const settings = readFetchOptions(options, core.options.timeout);
    const value = flights.fetch(wireKey, load as UntypedLoad, nothing, settings, core);
    return value as Promise<T | undefined>;
  } catch (error) {
    return Promise.reject(error);
  }
}

const nothing = (): void => undefined;

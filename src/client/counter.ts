/** increment and decrement, with an initial value where there is no counter yet. */
import { type Finish, Request } from "../connection/request.ts";
import { TimeoutError } from "../errors.ts";
import type { Operation } from "../protocol/command.ts";
import { toExptime } from "../protocol/exptime.ts";
import { checkUint64 } from "../protocol/number.ts";
import type { Core } from "./core.ts";
import type { StoreOptions } from "./options.ts";
import { countResult, doneOrNotResult } from "./results.ts";
import { Flags } from "./values.ts";

/** Options of increment and decrement. */
export interface CounterOptions extends StoreOptions {
  /** The count to begin with where there is none. */
  initial?: number | bigint;
}

// Between two of these somebody else must have deleted the counter each time.
const MAX_ROUNDS = 10;

/**
 * Counts up or down. A missing counter is made by `add`, and whoever loses that race counts again. Meta
 * arithmetic could make it in one command, but only with flags 0: `get` would then give its digits as
 * bytes, not as a number.
 */
export async function count(
  core: Core,
  operation: "increment" | "decrement",
  key: string,
  delta: number | bigint,
  options: CounterOptions | undefined,
): Promise<bigint | undefined> {
  const first = core.request<bigint | undefined>(operation, key, countResult, options);
  const initial = options?.initial;
  first.delta = checkUint64(delta, "delta");
  const digits = initial === undefined ? "" : checkUint64(initial, "initial");
  const exptime = toExptime(options?.ttl ?? 0);
  const deadline = core.sweep.now() + first.timeout;
  const result = await core.send(first, options?.signal);
  if (result !== undefined || initial === undefined) return result;

  const again = <T>(operation: Operation, finish: Finish<T>): Request<T> => {
    const left = deadline - core.sweep.now();
    if (left <= 0) throw new TimeoutError(`the counter was not set within ${first.timeout} ms`);
    const request = new Request<T>(operation, first.key, finish, left);
    request.exptime = exptime;
    return request;
  };
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const add = again<boolean>("add", doneOrNotResult);
    add.value = digits;
    add.flags = Flags.integer;
    if (await core.send(add, options?.signal)) return BigInt(digits);
    const next = again<bigint | undefined>(operation, countResult);
    next.delta = first.delta;
    const counted = await core.send(next, options?.signal);
    if (counted !== undefined) return counted;
  }
  throw new TimeoutError("the counter was deleted again and again while it was being set");
}

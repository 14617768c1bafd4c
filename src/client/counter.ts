/** increment and decrement, with an initial value where there is no counter yet. */
import { readOptions } from "../checks/options.ts";
import { ConflictError } from "../errors.ts";
import { checkUint64 } from "../protocol/number.ts";
import { type Core, storeExptime } from "./core.ts";
import { checkedOptions, type StoreOptions } from "./options.ts";
import { countResult, doneOrNotResult } from "./results.ts";
import type { ClientCodec } from "./values/codec.ts";

/** Options of increment and decrement. */
interface CounterOptions extends StoreOptions {
  /** The count to begin with if there is no counter. */
  initial?: number | bigint | undefined;
}

// Each further round means that somebody has deleted the counter in between.
const MAX_ROUNDS = 10;

/**
 * Counts up or down. A missing counter is made by `add`, and whoever loses that race counts again. Meta
 * arithmetic could make the counter in one command, but only with flags 0: then `get` would return its
 * digits as bytes, not a number.
 */
export async function count(
  core: Core,
  codec: ClientCodec,
  operation: "increment" | "decrement",
  key: string,
  delta: number | bigint,
  options: CounterOptions | undefined,
): Promise<bigint | undefined> {
  const { initial, timeout, signal, ttl } = readOptions<CounterOptions>(options, {
    timeout: undefined,
    signal: undefined,
    ttl: undefined,
    initial: undefined,
  });
  const call = checkedOptions(timeout, signal, ttl, core.options.timeout);
  const deltaDigits = checkUint64(delta, "delta");
  const digits = initial === undefined ? undefined : checkUint64(initial, "initial");
  const exptime = storeExptime(call);
  core.wireKey(key);
  return await core.run(call, async (deadline) => {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const countOptions = deadline.options();
      const request = core.request(operation, key, countResult, countOptions);
      request.delta = deltaDigits;
      const result = await core.send(request, countOptions);
      if (result !== undefined || digits === undefined) return result;
      const addOptions = deadline.options();
      const add = core.request("add", key, doneOrNotResult, addOptions);
      add.value = digits;
      add.flags = codec.counterFlags;
      add.exptime = exptime;
      if (await core.send(add, addOptions)) return BigInt(digits);
    }
    throw new ConflictError("the counter was deleted again and again while it was being made");
  });
}

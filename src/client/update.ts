/** Read, change, write if nobody else has: again and again until nobody has. */
import { setTimeout } from "../connection/clock.ts";
import { ConflictError, invalidType, UnsupportedError } from "../errors.ts";
import { checkKey } from "../protocol/key.ts";
import { type Core, storeExptime } from "./core.ts";
import type { StoreOptions } from "./options.ts";
import { casResult, claimResult, doneOrNotResult } from "./results.ts";

const MAX_TRIES = 100;
// Pauses are random between 0 and this, so that writers that met once part.
const MAX_PAUSE_MS = 10;

/** Changes what `fn` makes of it. */
export type Change<T> = (current: T | undefined) => T | undefined | Promise<T | undefined>;

/** Runs `fn` on the current value and stores what it returns, if nobody wrote in between; else again. */
export async function update<T>(
  core: Core,
  key: string,
  fn: Change<T>,
  options: StoreOptions | undefined,
): Promise<T | undefined> {
  if (typeof fn !== "function") throw invalidType("update needs a function");
  checkKey(key, core.options.prefix);
  const call = core.storeOptions(options);
  storeExptime(call);
  const { ttl } = call;
  const claim = claimResult<T>(core.codec);
  return await core.run(call, async (deadline) => {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const left = deadline.left();
      const read = core.request("gets", key, claim, left);
      read.replacesStub = true;
      const item = await core.send(read, left);
      if (item?.cas === 0n) {
        throw new UnsupportedError("update needs cas tokens, and the server keeps none (-C)");
      }
      const changed = fn(item?.value);
      const next = isPromise(changed) ? await deadline.within(changed) : changed;
      if (next === undefined) return item?.value;
      const how = deadline.left(ttl);
      if (item === undefined) {
        const added = core.store("add", key, next, doneOrNotResult, how);
        if (await added) return next;
      } else {
        const stored = core.store("cas", key, next, casResult, how, item.cas);
        if (await stored === "stored") return next;
      }
      await deadline.within(pause(Math.random() * MAX_PAUSE_MS));
    }
    throw new ConflictError(`others kept writing: gave up after ${MAX_TRIES} tries`);
  });
}

function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as PromiseLike<T> | null | undefined)?.then === "function";
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

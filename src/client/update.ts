/** Reads, changes, and writes if nobody else has written; else it begins again. */
import { checkFunction } from "../checks/values.ts";
import { ConflictError, UnsupportedError } from "../errors.ts";
import type { Commands } from "./commands.ts";
import { storeExptime } from "./core.ts";
import type { Deadline } from "./deadline.ts";
import type { StoreOptions } from "./options.ts";

const MAX_TRIES = 100;
const MAX_PAUSE_MS = 10;

/** Makes the next value from the current one. */
type Change<T> = (current: T | undefined) => T | undefined | Promise<T | undefined>;

/** The value to store, and its ttl in seconds. */
export interface Next {
  readonly value: unknown;
  readonly ttl: number | undefined;
}

/**
 * Runs `fn` on the current value and stores what it returns. Resolves to the value that is then stored.
 */
export async function update<T>(
  commands: Commands<unknown>,
  key: string,
  fn: Change<T>,
  options: StoreOptions | undefined,
): Promise<T | undefined> {
  checkChange(fn);
  const { core } = commands;
  core.wireKey(key);
  const call = core.storeOptions(options);
  storeExptime(call);
  const { ttl } = call;
  return await core.run(call, async (deadline) => {
    let current: T | undefined;
    const stored = await readChangeWrite(
      commands,
      key,
      deadline,
      (value) => fn(current = value as T | undefined),
      (value) => ({ value, ttl }),
    );
    return stored === undefined ? current : stored as T;
  });
}

/** Throws a `TypeError` for anything but a function. */
export function checkChange(fn: unknown): void {
  checkFunction(fn, "update needs a function");
}

/**
 * Lets `change` make the next value from the current one, and `toStore` the form in which it is stored.
 * Begins again if somebody has written between the read and the write. `change` may return a promise;
 * undefined writes nothing. Resolves to what `change` has returned last.
 */
export async function readChangeWrite<T>(
  commands: Commands<T>,
  key: string,
  deadline: Deadline,
  change: (current: T | undefined) => unknown,
  toStore: (changed: unknown, current: T | undefined) => Next,
): Promise<unknown> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const item = await commands.claim(key, deadline.options());
    if (item?.cas === 0n) {
      throw new UnsupportedError("update needs cas tokens, and the server keeps none (-C)");
    }
    const changing = change(item?.value);
    const changed = isPromise(changing) ? await deadline.within(changing) : changing;
    if (changed === undefined) return undefined;
    const { value, ttl } = toStore(changed, item?.value);
    const options = deadline.options(ttl);
    const stored = item === undefined
      ? await commands.add(key, value, options)
      : await commands.cas(key, value, item.cas, options) === "stored";
    if (stored) return changed;
    await deadline.pause(MAX_PAUSE_MS);
  }
  throw new ConflictError(`others kept writing: gave up after ${MAX_TRIES} tries`);
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === "function";
}

/**
 * Commands for keys as `keys()` lists them. With `unsafeKeys: "hash"` a listed key may be a hash, which the
 * client's own methods would hash again.
 */
import { type Finish, Request } from "../connection/request.ts";
import type { Operation } from "../protocol/command.ts";
import type { Core } from "./core.ts";
import { doneOrNotResult, valueResult } from "./results.ts";
import { codecFor } from "./values/tables.ts";

/** The values of listed keys; undefined for a key that is gone. */
export function getListed(core: Core, keys: readonly string[]): Promise<unknown[]> {
  const finish = core.inCallersContext(valueResult(codecFor(core.options)));
  return Promise.all(keys.map((key) => ask(core, "get", key, finish)));
}

/** Deletes listed keys. */
export async function deleteListed(core: Core, keys: readonly string[]): Promise<void> {
  await Promise.all(keys.map((key) => ask(core, "delete", key, doneOrNotResult)));
}

function ask<T>(core: Core, operation: Operation, key: string, finish: Finish<T>): Promise<T> {
  const options = core.callOptions(undefined);
  return core.send(
    new Request(operation, core.options.prefix + key, finish, options.timeout),
    options,
  );
}

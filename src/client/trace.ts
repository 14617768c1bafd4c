/** Publishing a command's start and end. */
import { AsyncResource } from "node:async_hooks";
import type { ServerRef } from "../server_ref.ts";
import { elapsed } from "../connection/clock.ts";
import type { Request } from "../connection/request.ts";
import { commandEnd, commandStart } from "../diagnostics.ts";
import type { CommandMessage } from "../messages.ts";
import { asMemcachedError, type MemcachedError } from "../errors.ts";
import { type Found, isThere } from "./fetch/found.ts";
import type { Item } from "./item.ts";

/** The outcome of the keys of one request so far. */
export class Tally {
  hits = 0;
  failed = 0;
  /** The first of its keys' errors. */
  error: MemcachedError | null = null;
}

/** Whether somebody listens. */
export function traced(): boolean {
  return commandStart.hasSubscribers || commandEnd.hasSubscribers;
}

/** Publishes the request's start now, and its end when it settles. */
export function trace(request: Request<unknown>, server: ServerRef): void {
  const { operation, key, keys } = request;
  const keyCount = keys !== null ? keys.length : key === "" ? 0 : 1;
  const end = publish(operation, server, keyCount);
  request.onSettled((error) => end(error, request));
}

/**
 * Publishes the start of a command that names no key, if somebody listens. The function that is returned
 * publishes its end.
 */
export function begin(operation: string, server: ServerRef): (error?: unknown) => void {
  return traced() ? publish(operation, server, 0) : nobody;
}

const nobody = (): void => undefined;

function publish(
  operation: string,
  server: ServerRef,
  keyCount: number,
): (error?: unknown, request?: Request<unknown>) => void {
  const start = elapsed();
  const message: CommandMessage = { operation, server, keyCount, startTime: Date.now() };
  // A reply is read in the async context of whoever made the socket. The listener should see the
  // caller's.
  const caller = new AsyncResource("memwire.command", { requireManualDestroy: true });
  commandStart.publish(message);
  return (error, request) => {
    message.duration = elapsed() - start;
    if (request !== undefined) countKeys(message, request, error === undefined);
    if (error !== undefined) message.error = asMemcachedError(error);
    caller.runInAsyncScope(() => commandEnd.publish(message));
  };
}

/** Counts what a read has found. */
function countKeys(message: CommandMessage, request: Request<unknown>, succeeded: boolean): void {
  const { operation, result } = request;
  if (result instanceof Tally) {
    if (result.error !== null) message.error = result.error;
    if (operation !== "getMany") return;
    message.hitCount = result.hits;
    message.missCount = Math.max(0, request.answered - result.hits - result.failed);
  } else if (succeeded) {
    const found = wasFound(operation, result);
    if (found === undefined) return;
    message.hitCount = found ? 1 : 0;
    message.missCount = found ? 0 : 1;
  }
}

/** Whether a read of one key has found it. The type of its result follows from its operation. */
function wasFound(operation: string, result: unknown): boolean | undefined {
  switch (operation) {
    case "get":
    case "gat":
      return result !== undefined;
    case "gets": // of a stub, update gets a token without a value
      return (result as Item<unknown> | undefined)?.value !== undefined;
    case "has":
      return result === true;
    case "lease":
      return isThere(result as Found);
    default:
      return undefined;
  }
}

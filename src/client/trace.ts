/** Publishing a command's start and end; called only while somebody listens. */
import type { ServerRef } from "../address.ts";
import type { Request } from "../connection/request.ts";
import { commandEnd, type CommandMessage, commandStart } from "../diagnostics.ts";
import { asMemcachedError } from "../errors.ts";

/** Whether somebody listens. */
export function traced(): boolean {
  return commandStart.hasSubscribers || commandEnd.hasSubscribers;
}

/** Publishes the request's start now, and its end when it settles. */
export function trace(request: Request<unknown>, server: ServerRef): void {
  const { operation, key, keys } = request;
  request.onSettled(publish(operation, server, keys !== null ? keys.length : key === "" ? 0 : 1));
}

/** Publishes the start of what names no key, if somebody listens; what is returned publishes the end. */
export function begin(operation: string, server: ServerRef): (error?: unknown) => void {
  return traced() ? publish(operation, server, 0) : nobody;
}

const nobody = (): void => undefined;

function publish(
  operation: string,
  server: ServerRef,
  keyCount: number,
): (error?: unknown) => void {
  const start = performance.now();
  const message: CommandMessage = { operation, server, keyCount, startTime: Date.now() };
  commandStart.publish(message);
  return (error) => {
    message.duration = performance.now() - start;
    if (error !== undefined) message.error = asMemcachedError(error);
    commandEnd.publish(message);
  };
}

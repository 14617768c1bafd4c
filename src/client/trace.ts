/** Publishing a command's start and end; called only while somebody listens. */
import type { ServerRef } from "../address.ts";
import type { Request } from "../connection/request.ts";
import { commandEnd, type CommandMessage, commandStart } from "../diagnostics.ts";
import { asMemcachedError } from "./many.ts";

/** Whether somebody listens. */
export function traced(): boolean {
  return commandStart.hasSubscribers || commandEnd.hasSubscribers;
}

/** Publishes the request's start now, and its end when it settles. */
export function trace(request: Request<unknown>, server: ServerRef): void {
  const start = performance.now();
  const message: CommandMessage = {
    operation: request.operation,
    server,
    keyCount: request.keys === null ? 1 : request.keys.length,
    startTime: Date.now(),
  };
  commandStart.publish(message);
  request.onSettled((error) => {
    message.duration = performance.now() - start;
    if (error !== undefined) message.error = asMemcachedError(error);
    commandEnd.publish(message);
  });
}

/** Sending many requests, each as soon as its server's connection has room for it. */
import type { Server } from "../cluster/server.ts";
import { abortWith } from "../connection/abort.ts";
import * as failure from "../connection/failure.ts";
import type { Request } from "../connection/request.ts";
import type { Core } from "./core.ts";
import { trace, traced } from "./trace.ts";

/** A request and the server that it goes to. */
export interface Addressed {
  readonly server: Server;
  readonly request: Request<unknown>;
}

/**
 * Sends the requests, in portions that fit the bounds of a connection; resolves when all have settled,
 * whatever became of them. Rejects with the signal's reason if that aborts.
 */
export async function sendInPortions(
  core: Core,
  requests: readonly Addressed[],
  signal: AbortSignal | undefined,
): Promise<void> {
  signal?.throwIfAborted();
  const now = core.sweep.now();
  const byServer = new Map<Server, Request<unknown>[]>();
  for (const { server, request } of requests) {
    // The last portion has the same deadline as the first: it counts from the call.
    request.deadline = now + request.timeout;
    request.measure();
    if (signal !== undefined) abortWith(signal, request);
    if (traced()) trace(request, server.ref);
    const queue = byServer.get(server);
    if (queue === undefined) byServer.set(server, [request]);
    else queue.push(request);
  }
  await Promise.all(Array.from(byServer, ([server, queue]) => sendTo(core, server, queue)));
  signal?.throwIfAborted();
}

async function sendTo(
  core: Core,
  server: Server,
  requests: readonly Request<unknown>[],
): Promise<void> {
  const underway: Promise<unknown>[] = [];
  let oldest = 0;
  for (const request of requests) {
    // Only what this call has sent itself is waited for: a connection that others filled refuses.
    while (oldest < underway.length && server.isFullFor(request.weight, request.size)) {
      await underway[oldest++];
    }
    if (request.deadline <= core.sweep.now()) request.refuse(failure.timeout(server.ref, request));
    if (!request.settled) server.send(request);
    underway.push(request.promise.catch(ignore));
  }
  await Promise.all(underway);
}

// Each request's outcome was taken by its `onSettled`.
const ignore = (): void => undefined;

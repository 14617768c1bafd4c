/** The end of a connection, and what becomes of the requests on it. */
import type { ServerRef } from "../server_ref.ts";
import * as failure from "./failure.ts";
import type { Pending } from "./pending.ts";
import type { Request } from "./request.ts";

/** Why a connection ended. */
export type EndReason =
  /** The handshake did not get through. */
  | "unreachable"
  /** The peer closed it in answer to `mn`. */
  | "refused-meta"
  /** Closed or reset by the peer. */
  | "lost"
  /** By us, for an unexpected reply. */
  | "dropped"
  /** By us, for a server that does not answer. */
  | "silent"
  /** By us, as asked. */
  | "closed";

/** Why and how a connection ended. */
export interface Ending {
  readonly reason: EndReason;
  readonly error: Error | undefined;
  /** Whether replies were due. */
  readonly interrupted: boolean;
  /** Whether it has ever answered a command. */
  readonly answered: boolean;
  /** Requests that may be sent on another connection. */
  readonly returned: readonly Request<unknown>[];
}

/**
 * Takes all requests off a connection that has ended. Returns those that may be sent on another one, and
 * refuses the others. `answering` is the request of whose reply a part has come.
 */
export function partRequests(
  pending: Pending,
  ref: ServerRef,
  { reason, error }: Pick<Ending, "reason" | "error">,
  answering: Request<unknown> | undefined,
): Request<unknown>[] {
  const oldest = pending.oldest();
  const blamed = oldest?.members ?? [oldest];
  const returned: Request<unknown>[] = [];
  if (answering !== undefined) answering.cut = true;
  for (const { request, sent } of pending.drain()) {
    if (!sent || mayRetry(request, reason)) returned.push(request);
    else request.refuse(failure.lost(ref, request, reason, error, blamed.includes(request)));
  }
  return returned;
}

/**
 * Whether a request whose reply was lost may be sent again: only once, and only if no byte of its reply
 * came.
 */
function mayRetry(request: Request<unknown>, reason: EndReason): boolean {
  if (!request.idempotent || request.begun || request.cut) return false;
  // A silence lasts as long as the client's timeout, so the calls' deadlines limit how often this
  // happens.
  if (reason === "silent") return true;
  if (reason !== "lost" || request.retried) return false;
  request.retried = true;
  return true;
}

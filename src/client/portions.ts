/**
 * Sends the part of a call for many keys that goes to one server: in portions, a few at a time, so that
 * calls take turns, and a call that has to wait takes no room meanwhile.
 */
import type { Server } from "../cluster/server.ts";
import { abortWith } from "../connection/abort.ts";
import * as failure from "../connection/failure.ts";
import { bytesOf, Request } from "../connection/request.ts";
import { asMemcachedError, type MemcachedError } from "../errors.ts";
import type { Core } from "./core.ts";
import type { Entry, Gathered } from "./gathered.ts";
import type { ResolvedOptions } from "./options.ts";
import { Tally, trace, traced } from "./trace.ts";

// The largest portion, which is about what a connection writes in one piece. Larger ones would delay
// single calls.
const MAX_KEYS = 1000;
const MAX_BYTES = 64 * 1024;

// How many portions of a call a server has at a time, so that it need not wait for the next one.
const WINDOW = 4;

/** A call for many keys. */
export interface ManyCall<R> {
  readonly operation: "getMany" | "setMany" | "deleteMany";
  readonly entries: readonly Entry[];
  readonly exptime: number;
  /** Milliseconds from the call to its deadline, and when that is on the sweep's clock. */
  readonly timeout: number;
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
  readonly gathered: Gathered<R>;
}

/**
 * Sends the keys at these positions to their server. Resolves when each has an outcome, or when the
 * signal has aborted. `again`: they were sent before, and are not sent a third time.
 */
export async function sendPortions<R>(
  core: Core,
  server: Server,
  positions: readonly number[],
  call: ManyCall<R>,
  again: boolean,
): Promise<void> {
  const underway: Promise<unknown>[] = [];
  let from = 0;
  while (from < positions.length && !call.signal?.aborted) {
    const to = portionEnd(positions, from, call, core.options);
    const refusal = sendPortion(core, server, positions.slice(from, to), call, again, underway);
    if (refusal !== undefined) {
      // All other keys get the same error: to make one for each takes longer than to send them.
      call.gathered.failUnasked(positions.slice(to), refusal);
      break;
    }
    if (underway.length >= WINDOW) await underway[underway.length - WINDOW];
    from = to;
  }
  await Promise.all(underway);
}

/** Sends one portion; the error, if it was refused at once. */
function sendPortion<R>(
  core: Core,
  server: Server,
  positions: readonly number[],
  { operation, entries, exptime, timeout, deadline, signal, gathered }: ManyCall<R>,
  again: boolean,
  underway: Promise<unknown>[],
): MemcachedError | undefined {
  const remaining = deadline - core.sweep.now();
  if (remaining <= 0) {
    const error = failure.timeout(server.ref, { timeout, ambiguous: false }, "queued");
    gathered.failUnasked(positions, error);
    return error;
  }
  // The first request gets the whole timeout: only that counts against a silent server.
  const ms = underway.length === 0 && !again ? timeout : remaining;
  const finish = core.inCallersContext(gathered.finish(positions));
  const request = new Request(operation, "", finish, ms);
  request.result = new Tally();
  request.deadline = deadline;
  request.keys = positions.map((i) => entries[i]!.key);
  request.exptime = exptime;
  request.retried = again;
  if (operation === "setMany") request.items = positions.map((i) => entries[i]!.item!);
  let refusal: MemcachedError | undefined;
  request.onSettled((error) => {
    if (error === undefined) return;
    refusal = asMemcachedError(error);
    gathered.end(positions, request, refusal);
  });
  underway.push(request.promise.catch(ignore));
  if (signal !== undefined) abortWith(signal, request);
  if (traced()) trace(request, server.ref);
  // A listener may have aborted it.
  if (!request.settled) server.send(request);
  return request.settled ? refusal : undefined;
}

// `onSettled` takes the outcome of each request.
const ignore = (): void => undefined;

/** The end of the portion that begins at `from`: one key at least. */
function portionEnd(
  positions: readonly number[],
  from: number,
  { entries }: ManyCall<unknown>,
  { maxPending, maxPendingBytes }: ResolvedOptions,
): number {
  // Requests for many keys may have half of a connection's room.
  const share = Math.max(1, Math.floor(maxPending / 2 / WINDOW));
  const most = Math.min(positions.length, from + Math.min(MAX_KEYS, share));
  const mostBytes = Math.min(MAX_BYTES, maxPendingBytes / 2 / WINDOW);
  let bytes = 0;
  let to = from;
  while (to < most) {
    const { key, item } = entries[positions[to]!]!;
    bytes += bytesOf(key, item?.value ?? "");
    if (bytes > mostBytes && to > from) break;
    to++;
  }
  return to;
}

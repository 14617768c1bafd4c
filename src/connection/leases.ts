/**
 * What a read does to the leases of other clients, and how it is undone.
 *
 * After `md k I` an item is stale, and the next reader, whoever it is, gets W: it alone should write the
 * item again (memcached#851). A read that only wants the value must not keep that win. It gives it back
 * by `md k I C<token>`, which makes the next reader the winner. And a read that sets a new ttl must not
 * make a stub live longer, since others wait for its end.
 */
import { KEEP_EXPTIME, type Operation } from "../protocol/command.ts";
import { MAX_RELATIVE_EXPTIME } from "../protocol/exptime.ts";
import { type Reply, UNKNOWN_TTL } from "../protocol/reply.ts";
import { isStub } from "../protocol/stub.ts";
import { Request } from "./request.ts";

/** The commands that undo what the request's read has done, `timeout` in ms for each. */
export function* undo(
  request: Request<unknown>,
  reply: Reply,
  timeout: number,
): Generator<Request<void>> {
  const key = request.keys === null ? request.key : request.keys[reply.index]!;
  const stub = isStub(reply);
  if (stub && request.exptime !== KEEP_EXPTIME && reply.ttl !== UNKNOWN_TTL) {
    const restore = own("restoreTtl", key, timeout);
    restore.exptime = ttlToExptime(reply.ttl);
    yield restore;
  }
  if (request.operation === "token") {
    // Z: the read for which this request was sent has won it.
    if (reply.leased) yield giveBack(key, reply, timeout);
  } else if (reply.won && !keepsWin(request, stub)) {
    yield reply.cas === 0 ? own("token", key, timeout) : giveBack(key, reply, timeout);
  }
}

/**
 * Whether the caller keeps the win: to give it back would change the token by which `gets` or `lease` may
 * write.
 */
function keepsWin(request: Request<unknown>, stub: boolean): boolean {
  if (request.settled) return false;
  if (request.operation === "lease") return true;
  if (request.operation !== "gets") return false;
  return !stub || request.replacesStub;
}

function giveBack(key: string, reply: Reply, timeout: number): Request<void> {
  const rearm = own("rearm", key, timeout);
  rearm.cas = String(reply.cas);
  return rearm;
}

/**
 * The exptime for a ttl that a server has told: -1 is for ever, and a ttl of 0 seconds must not become
 * that. No lease lasts 30 days, above which an exptime is an absolute time.
 */
function ttlToExptime(ttl: number): number {
  return ttl < 0 ? 0 : Math.min(Math.max(ttl, 1), MAX_RELATIVE_EXPTIME);
}

function own(operation: Operation, key: string, timeout: number): Request<void> {
  return new Request<void>(operation, key, () => undefined, timeout);
}

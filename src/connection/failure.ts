/** The errors of connections: the one place that words them. */
import type { ServerRef } from "../server_ref.ts";
import {
  AuthError,
  ClosedError,
  ConnectionLostError,
  MemcachedError,
  OverloadedError,
  ProtocolError,
  ServerDownError,
  ServerError,
  TimeoutError,
  UnsupportedError,
  ValueTooLargeError,
} from "../errors.ts";
import type { Operation } from "../protocol/command.ts";
import type { DialectName } from "../protocol/dialect.ts";
import { withoutKeys } from "../protocol/refusal.ts";
import { keepsStep } from "../protocol/reply.ts";
import { describeNetworkError, describeStranger } from "./network_words.ts";
import type { Bounds, Phase } from "./pending.ts";
import type { Request } from "./request.ts";

/**
 * Whether the refusal means that the value that was stored before is gone: when memcached finds no room
 * for the new value, it unlinks the old one, so that no reader gets stale data. In classic it does so
 * only for `set`, in meta for every mode of `ms`, even for an add that would not have been done. A `cas`
 * is a classic line in both dialects. With "Out of memory during read", where room ran out while a large
 * value was being received, the old one stays. The sources of 1.4.39, 1.5.22, 1.6.12, 1.6.18, 1.6.22,
 * 1.6.40 and 1.6.45 agree on this.
 */
function losesOldValue(operation: Operation, dialect: DialectName, line: string): boolean {
  if (!NO_ROOM.test(line)) return false;
  switch (operation) {
    case "set":
    case "setMany":
      return true;
    case "add":
    case "replace":
    case "append":
    case "prepend":
      return dialect === "meta";
    default:
      return false;
  }
}

const NO_ROOM = /^SERVER_ERROR.*(too large|out of memory storing object)/;

/** This bound of the connection was reached. */
export function overloaded(
  server: ServerRef,
  bound: keyof Bounds,
  bounds: Bounds,
): MemcachedError {
  const what = bound === "maxPending" ? "requests" : "bytes of requests";
  return new OverloadedError(
    `${server.address} has no room for the request: ${bound} allows ${bounds[bound]} ${what} ` +
      "without an answer; send fewer at a time, or raise it",
    { server },
  );
}

/** The server cannot be used. `cause` says why; undefined: it closed the connection. */
export function down(server: ServerRef, cause: Error | undefined): MemcachedError {
  if (cause instanceof AuthError) return new AuthError(cause.message, { server, cause });
  return new ServerDownError(`${server.address} is down: ${describe(cause)}`, { server, cause });
}

/** A connection has ended: the error for the diagnostics channel. */
export function ended(server: ServerRef, cause: Error): MemcachedError {
  if (cause instanceof MemcachedError) return cause;
  return new ConnectionLostError(`the connection to ${server.address} ended: ${describe(cause)}`, {
    server,
    cause,
  });
}

function describe(cause: Error | undefined): string {
  if (cause === undefined) return "it closed the connection";
  return cause instanceof MemcachedError ? cause.message : describeNetworkError(cause);
}

/** The first bytes that came are not memcached's. */
export function notMemcached(server: ServerRef, head: string): MemcachedError {
  return new ProtocolError(describeStranger(head), { server });
}

/** Closed or reset before a byte came. memcached itself does so where it expects TLS. */
export function closedUnheard(server: ServerRef, cause: Error | undefined): MemcachedError {
  return new ConnectionLostError(
    "it closed the connection without an answer, as a port that expects TLS does",
    { server, cause },
  );
}

/**
 * The server closed the connection in answer to an admin command, as twemproxy does if it does not know
 * the command.
 */
export function closedInAnswer(
  server: ServerRef,
  command: string,
  ambiguous: boolean,
): MemcachedError {
  return new UnsupportedError(
    `${server.address} closed the connection in answer to ${command}`,
    // It may also be a server that has died, with the command done or not.
    { server, ambiguous },
  );
}

/** The connection of an admin command ended in the middle of its answer. */
export function adminLost(
  server: ServerRef,
  cause: Error | undefined,
  ambiguous: boolean,
): MemcachedError {
  return new ConnectionLostError(`the connection to ${server.address} was closed`, {
    server,
    cause,
    ambiguous,
  });
}

/**
 * Whoever read the answer to an admin command has stopped reading, so the client closed the connection.
 */
export function ownClose(): MemcachedError {
  return new ConnectionLostError("the connection was closed");
}

/** `close` was called. */
export function clientClosed(): MemcachedError {
  return new ClosedError("the client has been closed");
}

/** A read over a lane of the bypass was given up. It is in flight elsewhere too, so no caller sees this. */
export function laneGivenUp(): MemcachedError {
  return new TimeoutError("the call was not answered in time for others to wait");
}

/** The handshake took too long. */
export function connectTimeout(server: ServerRef, ms: number): MemcachedError {
  return new TimeoutError(`it was not connected within ${ms} ms`, {
    server,
    phase: "connecting",
  });
}

/** A call's deadline has passed; `phase`: where the request was. */
export function timeout(
  server: ServerRef,
  request: Pick<Request<unknown>, "timeout" | "ambiguous">,
  phase: Phase,
): MemcachedError {
  const { timeout, ambiguous } = request;
  // A command that is one of several has what remains of the time, which is seldom a whole number.
  const what = phase === "connecting" ? "was not connected" : "did not answer";
  const message = `${server.address} ${what} within ${Math.ceil(timeout)} ms`;
  return new TimeoutError(message, { server, ambiguous, phase });
}

/** The connection that gave the token has ended. On another one the token may mean another item. */
export function unbound(server: ServerRef): MemcachedError {
  return new ConnectionLostError(
    `the connection to ${server.address} that gave the token has ended; nothing was sent`,
    { server },
  );
}

/** The connection has ended. */
export function gone(server: ServerRef): MemcachedError {
  return new ConnectionLostError(
    `the connection to ${server.address} has ended; nothing was sent`,
    {
      server,
    },
  );
}

/** The oldest reply is so long overdue that it will not come any more. */
export function stuck(server: ServerRef): MemcachedError {
  return new TimeoutError(`${server.address} has stopped answering`, { server });
}

/** A reply fits no request. */
export function outOfStep(server: ServerRef): MemcachedError {
  return new ProtocolError(
    `${server.address} sent an unexpected reply; the connection was dropped`,
    { server },
  );
}

/** A stored value is larger than the client accepts. */
export function tooLarge(server: ServerRef, size: number, most: number): MemcachedError {
  return new ValueTooLargeError(
    `${server.address} holds a value of ${size} bytes, more than the ${most} of maxValueBytes`,
    { server },
  );
}

// A proxy's words for an answer that the server behind it did not give. twemproxy's are those of
// strerror.
const LOST_BEHIND = /time(d )?[ -]?out|reset|broken pipe|closed|aborted/i;

/** The server answered the request with an error line. */
export function refused(
  server: ServerRef,
  line: string,
  request: Request<unknown>,
  dialect: DialectName,
): MemcachedError {
  const words = withoutKeys(line, request.keys ?? [request.key]);
  if (/^SERVER_ERROR.*too large/.test(line)) {
    return new ValueTooLargeError(`${server.address} refused the value: ${words}`, {
      server,
      oldValueLost: losesOldValue(request.operation, dialect, line),
    });
  }
  if (/authenticat/i.test(line)) {
    return new AuthError(`${server.address} refused the command: ${words}`, { server });
  }
  if (keepsStep(line)) {
    const ambiguous = request.ambiguous && LOST_BEHIND.test(line);
    return new ServerError(`${server.address} refused the command: ${words}`, {
      server,
      ambiguous,
      oldValueLost: losesOldValue(request.operation, dialect, line),
    });
  }
  return new ProtocolError(`${server.address} answered ${words}; the connection was dropped`, {
    server,
  });
}

/** The connection ended with the request in flight. `blamed`: its own reply was the wrong one. */
export function lost(
  server: ServerRef,
  request: Request<unknown>,
  reason: string,
  cause: Error | undefined,
  blamed: boolean,
): MemcachedError {
  const { ambiguous } = request;
  if (blamed && cause instanceof ProtocolError) {
    return new ProtocolError(cause.message, { server, ambiguous });
  }
  const what = reason === "lost" ? "was closed or reset by the server" : "was dropped";
  return new ConnectionLostError(`the connection to ${server.address} ${what}`, {
    server,
    ambiguous,
    cause,
  });
}

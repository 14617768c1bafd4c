/** The answer to an admin command: its lines, and the errors for answers of another kind. */
import type { Server } from "../cluster/server.ts";
import type { AdminLimits } from "../connection/admin_connection.ts";
import {
  ConnectionLostError,
  type MemcachedError,
  ProtocolError,
  ServerError,
  UnsupportedError,
} from "../errors.ts";

/** How long the answer may take, and what stops it. */
type Limits = Pick<AdminLimits, "timeout" | "total" | "signal"> & { ambiguous?: boolean };

/**
 * Sends the command that `command` makes from the server's version, and yields the lines of the answer.
 */
export async function* answer(
  server: Server,
  command: (version: string) => string,
  limits: Limits,
): AsyncGenerator<string, void, void> {
  limits.signal?.throwIfAborted();
  yield* server.openAdmin({ ambiguous: false, ...limits }).ask(command);
}

/** The error for a line that is not part of the answer. */
export function unexpectedLine(
  line: string,
  command: string,
  { ref: server }: Server,
): MemcachedError {
  const words = line.slice(0, 200);
  const message = `${server.address} answered ${command}: ${words}`;
  if (line.startsWith("SERVER_ERROR") || line.startsWith("BUSY")) {
    return new ServerError(message, { server });
  }
  if (/^(ERROR|CLIENT_ERROR)/.test(line)) return new UnsupportedError(message, { server });
  return new ProtocolError(`${server.address} answered ${command} with an unknown line`, {
    server,
  });
}

/** The error for an answer that ended before its last line. */
export function cutShort({ ref: server }: Server): MemcachedError {
  return new ConnectionLostError(`${server.address} ended the answer too early`, { server });
}

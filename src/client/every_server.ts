/** Asks all servers at once, for stats, flushAll and version. */
import type { Server } from "../cluster/server.ts";
import { asMemcachedError, type MemcachedError } from "../errors.ts";
import type { Core } from "./core.ts";
import type { CheckedOptions } from "./options.ts";
import { partial } from "./partial.ts";
import { begin } from "./trace.ts";

/**
 * The answer of each server, by its id. Throws a PartialError if some servers failed, the server's own error
 * if there is only one, and the signal's reason if that has aborted.
 */
export async function askEveryServer<R>(
  core: Core,
  operation: string,
  call: CheckedOptions,
  ask: (server: Server, left: CheckedOptions) => Promise<R>,
): Promise<Map<string, R>> {
  call.signal?.throwIfAborted();
  const results = new Map<string, R>();
  const errors = new Map<string, MemcachedError>();
  await core.run(call, (deadline) => {
    // What is left once the servers are known.
    const left = deadline.options();
    return Promise.all(core.cluster.servers.map(async (server) => {
      const end = begin(operation, server.ref);
      try {
        results.set(server.ref.id, await ask(server, left));
        end();
      } catch (error) {
        end(error);
        call.signal?.throwIfAborted();
        errors.set(server.ref.id, asMemcachedError(error));
      }
    }));
  });
  return partial(results, errors, "servers");
}

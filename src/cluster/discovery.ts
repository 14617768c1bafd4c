/** Where a client's list of servers comes from, when that is not written down: in a file apart, because it is published. */
import type { ServerSpec } from "../address.ts";

/**
 * Lists of servers, the newest last. `elasticache` and `dns` of `memwire/discovery` make one; your own
 * need only this method.
 *
 * @example
 * ```ts
 * import { type Discovery, Memcached } from "memwire";
 *
 * const fixed: Discovery = {
 *   watch(onServers) {
 *     queueMicrotask(() => onServers(["localhost:11211"]));
 *     return { close() {} };
 *   },
 * };
 * const memcached = new Memcached(fixed);
 * await memcached.set("greeting", "hello");
 * await memcached.close();
 * ```
 */
export interface Discovery {
  /**
   * Begins to look, with the client's first call.
   *
   * @param onServers Takes each list, which replaces the one before; an empty or malformed one is refused.
   * @param onError Takes what went wrong; the list stays as it is.
   * @returns What ends the looking, when the client is closed.
   */
  watch(
    onServers: (servers: readonly ServerSpec[]) => void,
    onError: (error: unknown) => void,
  ): { close(): void };
}

/** The interface of a discovery, which finds a client's servers. It has its own file because it is published. */
import type { ServerSpec } from "../address.ts";

/**
 * Finds a client's servers, and delivers a new list whenever they change. `elasticache` and `dns` of
 * `memwire/discovery` make one; your own needs only this method.
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
   * Begins the search. The client calls this at its own first call.
   *
   * @param onServers Call it with each list, which replaces the previous one. An empty or malformed list is refused.
   * @param onError Call it with the error if the search fails. The client keeps the list that it has.
   * @returns An object whose `close` ends the search. The client calls it when it is closed.
   */
  watch(
    onServers: (servers: readonly ServerSpec[]) => void,
    onError: (error: unknown) => void,
  ): { close(): void };
}

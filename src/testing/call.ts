/** The entries of `MemcachedServer.calls`. The type is published, so this file must not need @types/node. */

/**
 * One command that a server has received. A command with several keys has an entry for each key.
 *
 * @example
 * ```ts
 * import { Memcached } from "memwire";
 * import { type Call, MemcachedServer } from "memwire/testing";
 *
 * const server = await MemcachedServer.start();
 * const cache = new Memcached(server.address);
 * await cache.set("a", 1);
 * const sets: Call[] = server.calls.filter(({ command }) => command === "set");
 * console.log(sets); // [ { command: "set", key: "a" } ]
 * await cache.close();
 * await server.stop();
 * ```
 */
export interface Call {
  /**
   * The command's classic name, whichever dialect it came in: `get`, `set`, `add`, `cas`, `delete`, `touch`,
   * `incr` and so on; also `version` and `mn` (a client's handshake).
   */
  readonly command: string;
  /** The key; empty for a command without one. */
  readonly key: string;
}

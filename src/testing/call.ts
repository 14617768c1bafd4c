/** What `MemcachedServer.calls` holds, in a file apart: its type is published and must not need @types/node. */

/**
 * One command that a server was asked, once for each of its keys.
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
   * The classic name of what was asked, in whichever dialect: `get`, `set`, `add`, `cas`, `delete`, `touch`,
   * `incr` and so on, `version`, `mn` (a client's handshake).
   */
  readonly command: string;
  /** The key; empty for a command without one. */
  readonly key: string;
}

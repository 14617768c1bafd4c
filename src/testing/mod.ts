/**
 * A memcached inside the process, for development and tests: nothing has to be installed to start.
 *
 * It speaks the text protocol of memcached 1.6.18, classic and meta, and answers as that does, byte for
 * byte, mistakes included. It is not for production: one thread, no authentication, no TLS.
 *
 * @example
 * ```ts
 * import { ManualClock, MemcachedServer } from "memwire/testing";
 *
 * const clock = new ManualClock();
 * const server = await MemcachedServer.start({ clock });
 * console.log(server.address); // what `new Memcached(...)` takes
 * clock.advance(3600); // an hour passes for whatever is stored
 * await server.stop();
 * ```
 *
 * @module
 */
export { MemcachedServer, type MemcachedServerOptions } from "./server.ts";
export { type Clock, ManualClock } from "./clock.ts";

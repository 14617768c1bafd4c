/**
 * A memcached inside the process, for development and tests. Nothing else has to be installed, and it can be
 * told to fail.
 *
 * It speaks the text protocol of memcached 1.6.18, classic and meta, and answers as memcached does, byte for
 * byte, mistakes included. It refuses commands about memcached's insides (slabs, threads, logs). It is not for
 * production, because it has a single thread in a process that has other things to do.
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
export { MemcachedServer } from "./server.ts";
export type { MemcachedServerOptions } from "./options.ts";
export type { Call } from "./call.ts";
export { type Clock, ManualClock } from "./clock.ts";

/**
 * A memcached inside the process, for development and tests: nothing has to be installed to start, and
 * it fails when it is told to.
 *
 * It speaks the text protocol of memcached 1.6.18, classic and meta, and answers as that does, byte for
 * byte, mistakes included; what concerns its insides (slabs, threads, logs) it refuses. It is not for
 * production: one thread, in a process that has other things to do.
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

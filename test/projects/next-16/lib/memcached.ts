// lib/memcached.ts
import { Memcached, SessionStore } from "memwire";

declare global {
  var memcached: Memcached | undefined;
}

// Next.js loads this file once for each of its bundles: all of them share one client.
export const memcached = globalThis.memcached ??= new Memcached(process.env.MEMCACHED_SERVERS);
export const sessions = new SessionStore<{ visits: number }>({ client: memcached });

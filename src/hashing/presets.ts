/** The presets by name. */
import { dalli, dalliId } from "./dalli.ts";
import type { HashingName, Preset } from "./hashing.ts";
import { hashring, hashringId } from "./hashring.ts";
import { ketama, libmemcachedId } from "./ketama.ts";
import { memjs, memjsId } from "./memjs.ts";
import { modula } from "./modula.ts";
import { pythonMemcached, pythonMemcached159, pythonMemcachedId } from "./python_memcached.ts";
import { pymemcacheId, rendezvous } from "./rendezvous.ts";
import { spymemcached, spymemcachedId } from "./spymemcached.ts";

const byName: Record<HashingName, Preset> = {
  "ketama": { hashing: ketama, idOf: libmemcachedId },
  "python-memcached": { hashing: pythonMemcached, idOf: pythonMemcachedId },
  "python-memcached-1.59": { hashing: pythonMemcached159, idOf: pythonMemcachedId },
  "modula": { hashing: modula, idOf: libmemcachedId },
  "rendezvous": { hashing: rendezvous, idOf: pymemcacheId },
  "dalli": { hashing: dalli, idOf: dalliId },
  "hashring": { hashing: hashring, idOf: hashringId },
  "spymemcached": { hashing: spymemcached, idOf: spymemcachedId },
  "memjs": { hashing: memjs, idOf: memjsId },
};

/** The presets by name. The object has no prototype, so that no other name finds anything. */
export const presets: Readonly<Record<HashingName, Preset>> = Object.freeze(
  Object.assign(Object.create(null), byName),
);

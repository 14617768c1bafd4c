/** The settings of Webware's SessionMemcachedStore as options of ours. */
import type { ServerSpec } from "../address.ts";
import { invalidRange, invalidType } from "../errors.ts";
import type { SessionStoreOptions } from "./options.ts";

/** Webware for Python's settings, by their own names. */
export interface WebwareSettings {
  /** Default ["localhost:11211"]. */
  MemcachedServers?: readonly ServerSpec[];
  /** Minutes. Default 180. */
  SessionTimeout?: number;
  /** Default "WebwareSession"; null and "" are none. */
  MemcachedNamespace?: string | null;
  /** Default "Warning". Falsy: "none". "Error": "error". Any other text warns, as in the seed. */
  MemcachedOnIteration?: string | null;
  /** Default true. */
  AlwaysSaveSessions?: boolean;
}

/**
 * The options that make a store behave as the seed does with these settings: its servers, keys and
 * exptimes, last write wins. What `options` gives goes before.
 */
export function optionsFromSettings(
  settings: WebwareSettings,
  options: SessionStoreOptions,
): SessionStoreOptions {
  const { SessionTimeout = 180, MemcachedNamespace = "WebwareSession" } = settings;
  const { MemcachedOnIteration = "Warning", AlwaysSaveSessions = true } = settings;
  if (typeof SessionTimeout !== "number") {
    throw invalidType("SessionTimeout must be a number of minutes");
  }
  if (!(SessionTimeout >= 0)) throw invalidRange("SessionTimeout must be 0 or more minutes");
  return {
    ...options,
    ...(options.client === undefined
      ? {
        servers: options.servers ?? settings.MemcachedServers ?? ["localhost:11211"],
        // Webware runs on python-memcached 1.59 as Debian has it.
        hashing: options.hashing ?? "python-memcached-1.59",
      }
      : {}),
    ttl: options.ttl ?? SessionTimeout * 60,
    namespace: options.namespace ?? MemcachedNamespace ?? "",
    onIteration: options.onIteration ?? policyOf(MemcachedOnIteration),
    alwaysSave: options.alwaysSave ?? AlwaysSaveSessions,
    lastWriteWins: options.lastWriteWins ?? true,
  };
}

function policyOf(setting: string | null): "warning" | "error" | "none" {
  if (!setting) return "none";
  return setting === "Error" ? "error" : "warning";
}

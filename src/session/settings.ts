/** The settings of Webware's SessionMemcachedStore as options of ours. */
import type { ServerSpec } from "../address.ts";
import { readOptions } from "../checks/options.ts";
import { checkBoolean, kindOf } from "../checks/values.ts";
import { invalidRange, invalidType } from "../errors.ts";
import { readStoreOptions, type SessionStoreOptions } from "./options.ts";

/** Webware for Python's settings, by their own names. */
export interface WebwareSettings {
  /** Default ["localhost:11211"]. */
  MemcachedServers?: readonly ServerSpec[] | undefined;
  /** Minutes. Default 180. */
  SessionTimeout?: number | undefined;
  /** Default "WebwareSession"; null and "" are none. */
  MemcachedNamespace?: string | null | undefined;
  /** Default "Warning". Falsy: "none". "Error": "error". Any other text warns, as in the seed. */
  MemcachedOnIteration?: string | null | undefined;
  /** Default true. */
  AlwaysSaveSessions?: boolean | undefined;
}

/**
 * The options that make a store behave as the seed does with these settings: its servers, keys and
 * exptimes, last write wins. What `options` gives goes before.
 */
export function optionsFromSettings(
  settings: WebwareSettings,
  options: SessionStoreOptions | undefined,
): SessionStoreOptions {
  if (settings === undefined) throw invalidType("settings must be an object, {} for the defaults");
  const given = readOptions<WebwareSettings>(settings, {
    MemcachedServers: undefined,
    SessionTimeout: undefined,
    MemcachedNamespace: undefined,
    MemcachedOnIteration: undefined,
    AlwaysSaveSessions: undefined,
  }, "settings");
  const { MemcachedServers = ["localhost:11211"], SessionTimeout = 180 } = given;
  const { MemcachedNamespace = "WebwareSession", MemcachedOnIteration = "Warning" } = given;
  const { AlwaysSaveSessions = true } = given;
  if (typeof SessionTimeout !== "number") {
    throw invalidType(`SessionTimeout must be a number of minutes, not ${kindOf(SessionTimeout)}`);
  }
  if (!(SessionTimeout >= 0)) throw invalidRange("SessionTimeout must be 0 or more minutes");
  checkBoolean(AlwaysSaveSessions, "AlwaysSaveSessions");
  const ours = readStoreOptions(options);
  const { servers = MemcachedServers, namespace = MemcachedNamespace ?? "" } = ours;
  // Webware runs on python-memcached 1.59 as Debian has it.
  const { hashing = "python-memcached-1.59", ttl = SessionTimeout * 60 } = ours;
  const { onIteration = policyOf(MemcachedOnIteration), lastWriteWins = true } = ours;
  const { alwaysSave = AlwaysSaveSessions } = ours;
  return {
    ...options,
    ...(ours.client === undefined ? { servers, hashing } : {}),
    ttl,
    namespace,
    onIteration,
    alwaysSave,
    lastWriteWins,
  };
}

function policyOf(setting: string | null): "warning" | "error" | "none" {
  if (!setting) return "none";
  return setting === "Error" ? "error" : "warning";
}

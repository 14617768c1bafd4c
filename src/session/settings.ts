/** Translates the settings of Webware's SessionMemcachedStore into memwire's options. */
import type { ServerSpec } from "../address.ts";
import { readOptions } from "../checks/options.ts";
import { checkBoolean, kindOf } from "../checks/values.ts";
import { invalidRange, invalidType } from "../errors.ts";
import { readStoreOptions, type SessionStoreOptions } from "./options.ts";

/** The settings of Webware for Python, under their own names. */
export interface WebwareSettings {
  /** The servers. Default ["localhost:11211"]. */
  MemcachedServers?: readonly ServerSpec[] | undefined;
  /** Minutes that a session lives after its last request. Default 180. */
  SessionTimeout?: number | undefined;
  /** Put before every id. Default "WebwareSession"; null and "" mean no namespace. */
  MemcachedNamespace?: string | null | undefined;
  /**
   * Default "Warning". A falsy value becomes onIteration "none", "Error" becomes "error", and any other text
   * warns, as in Webware.
   */
  MemcachedOnIteration?: string | null | undefined;
  /** Whether unchanged sessions are refreshed when they are stored. Default true. */
  AlwaysSaveSessions?: boolean | undefined;
}

/**
 * Returns the options that make a store behave as Webware does with these settings: the same servers, keys
 * and exptimes, and the last write wins. `options` takes precedence over the settings.
 */
export function optionsFromSettings(
  settings: WebwareSettings,
  options: SessionStoreOptions | undefined,
): SessionStoreOptions {
  if (settings === undefined) {
    throw invalidType("settings must be an object; {} takes the defaults");
  }
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
  if (!(SessionTimeout >= 0)) {
    throw invalidRange(`SessionTimeout must be 0 or more minutes, not ${SessionTimeout}`);
  }
  checkBoolean(AlwaysSaveSessions, "AlwaysSaveSessions");
  const ours = readStoreOptions(options);
  const { servers = MemcachedServers, namespace = MemcachedNamespace ?? "" } = ours;
  // Webware uses python-memcached; Debian ships version 1.59.
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

function policyOf(setting: unknown): "warning" | "error" | "none" {
  if (!setting) return "none"; // Python's None, "" and False
  if (typeof setting !== "string") {
    throw invalidType(`MemcachedOnIteration must be a string or null, not ${kindOf(setting)}`);
  }
  return setting === "Error" ? "error" : "warning";
}

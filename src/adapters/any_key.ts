/** Turns any text into a key: frameworks use URLs with spaces, 300 characters, or an empty text. */
import { kindOf } from "../checks/values.ts";
import { coreOf } from "../client/copies.ts";
import type { Memcached } from "../client/memcached.ts";
import { safeKey } from "../client/wire_key.ts";
import { invalidType } from "../errors.ts";

/**
 * Returns a function that turns any text into a key for the client. The key on the wire is the same whatever the
 * client's `unsafeKeys` says. Throws a `TypeError` if `client` is not a client; the returned function throws one
 * for text with half of a surrogate pair.
 */
export function anyKey(client: Memcached): (key: string) => string {
  const { prefix, unsafeKeys } = coreOf(client).options;
  if (unsafeKeys === "hash") return (key) => key;
  return (key) => safeKey(key, prefix).slice(prefix.length);
}

/**
 * Refuses a key that is neither text nor a number. As text it would be one key for all: "undefined" for every
 * visitor of whom a framework knows nothing.
 */
export function checkAnyKey(key: unknown): void {
  if (typeof key === "string" || typeof key === "number") return;
  throw invalidType(`a key must be a string, not ${kindOf(key)}`);
}

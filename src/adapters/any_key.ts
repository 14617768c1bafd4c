/** Turns any text into a key: frameworks use URLs with spaces, 300 characters, or an empty text. */
import { coreOf } from "../client/copies.ts";
import type { Memcached } from "../client/memcached.ts";
import { safeKey } from "../client/wire_key.ts";

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

/** Keys of frameworks, which may be anything: URLs with spaces, 300 characters, nothing at all. */
import { coreOf } from "../client/copies.ts";
import type { Memcached } from "../client/memcached.ts";
import { safeKey } from "../client/wire_key.ts";

/**
 * What makes a key for the client of any text: the same one whatever the client's `unsafeKeys` says. Throws a
 * `TypeError` for what is no client; the function that is returned throws one for half of a surrogate pair.
 */
export function anyKey(client: Memcached): (key: string) => string {
  const { prefix, unsafeKeys } = coreOf(client).options;
  if (unsafeKeys === "hash") return (key) => key;
  return (key) => safeKey(key, prefix).slice(prefix.length);
}

/**
 * memjs: Java's string hash, made positive, modulo the number of servers; when a server is down, its keys
 * go to the next in the list. memjs knows no weights.
 *
 * Source: memjs/utils.js hashCode(), memjs/memjs.js Client.getServer(), Client.server().
 */
import { type Address, formatAddress } from "../address.ts";
import type { Hashing } from "./hashing.ts";
import { hashingOf, roundFrom } from "./selector.ts";

/** memjs's choice of server. */
export const memjs: Hashing = hashingOf(({ length }) => {
  const pick = (key: string): number => hashCode(key) % length;
  return { pick, order: (key) => roundFrom(pick(key), length) };
});

/** Hashes UTF-16 units. |-2^31| is 2^31 here, not negative as in Java. */
function hashCode(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(31, hash) + text.charCodeAt(i)) | 0;
  return Math.abs(hash);
}

/** `host:port`; memjs's hashing goes by position alone. */
export function memjsId(address: Address): string {
  return formatAddress(address);
}

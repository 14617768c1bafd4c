/** Session ids: how new ones are made, and which ones from outside are looked up at all. */
import { randomBytes } from "node:crypto";

// 192 bits from the system's generator; OWASP's ASVS asks for 128.
const ID_BYTES = 24;

/** Characters of a new id. */
export const ID_LENGTH = 32;

const OPENABLE = /^[A-Za-z0-9_.-]{1,128}$/;

/** A new id, in base64url. */
export function newId(): string {
  return randomBytes(ID_BYTES).toString("base64url");
}

/**
 * Whether an id from outside is one that a session can have. Any other is absent, without traffic: in
 * the seed system a line feed at the end of a cookie mixed up the sessions of all later visitors.
 */
export function isOpenable(id: unknown): id is string {
  return typeof id === "string" && OPENABLE.test(id);
}

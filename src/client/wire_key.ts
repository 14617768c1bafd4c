/** A caller's key as it goes over the wire: as it is, or, with `unsafeKeys: "hash"`, hashed if it must be. */
import { createHash } from "node:crypto";
import { invalidRange } from "../errors.ts";
import { checkKey, isForbidden, MAX_KEY_BYTES } from "../protocol/key.ts";
import { byteLength, isWellFormed } from "../protocol/text.ts";

/** What is done with a key that memcached would not take. */
export type UnsafeKeys = "reject" | "hash";

// "#" and 32 bytes in base64url.
const HASH_BYTES = 44;
const HASHED = /#[\w-]{43}$/;

/** A prefix for hashed keys leaves room for the hash. Throws a `RangeError`. */
export function checkHashedPrefix(prefix: string): void {
  const most = MAX_KEY_BYTES - HASH_BYTES;
  if (byteLength(prefix) <= most) return;
  throw invalidRange(`with unsafeKeys "hash" a prefix has at most ${most} bytes`);
}

/**
 * Whether a key looks as if it were hashed. It is hashed too then, so that nobody can choose a key that is
 * another one's hash.
 */
export function looksHashed(key: string): boolean {
  return HASHED.test(key);
}

/**
 * The key with its prefix if memcached takes it; else the prefix, as much of the key's start as is legal and
 * has room, "#", and the key's SHA-256 in base64url. Throws a `TypeError` for what is no text, half of a
 * surrogate pair included, and for "noreply".
 */
export function safeKey(key: unknown, prefix: string): string {
  if (typeof key !== "string" || !isWellFormed(key)) return checkKey(key, prefix);
  const whole = prefix + key;
  if (isLegal(key, whole) && !looksHashed(key)) return checkKey(key, prefix);
  const hash = createHash("sha256").update(key).digest("base64url");
  return `${prefix}${legalStart(key, MAX_KEY_BYTES - HASH_BYTES - byteLength(prefix))}#${hash}`;
}

function isLegal(key: string, whole: string): boolean {
  if (key === "" || whole.length > MAX_KEY_BYTES || isForbidden(whole)) return false;
  return byteLength(whole) <= MAX_KEY_BYTES;
}

/** The longest start of a key that has at most so many bytes and only characters that a key may hold. */
function legalStart(key: string, room: number): string {
  let end = 0;
  for (const character of key) {
    room -= byteLength(character);
    if (room < 0 || isForbidden(character)) break;
    end += character.length;
  }
  return key.slice(0, end);
}

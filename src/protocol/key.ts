/**
 * The rule for keys: 1 to 250 bytes of UTF-8, prefix included, without control characters and spaces
 * (memcached's doc/protocol.txt, "Keys"). A key that broke it could end the command line and start
 * another one.
 */
import { kindOf } from "../checks/values.ts";
import { invalidType } from "../errors.ts";
import { byteLength } from "./text.ts";

/** memcached's KEY_MAX_LENGTH, in bytes. */
export const MAX_KEY_BYTES = 250;

const NOT_PRINTABLE_ASCII = /[^!-~]/;
// deno-lint-ignore no-control-regex -- control characters are what is looked for
const FORBIDDEN = /[\x00-\x20\x7f]|\p{Surrogate}/u;

/**
 * Checks a caller's key and puts the prefix before it.
 *
 * Returns the key as it goes over the wire; throws a `TypeError` that tells the rule and a position or
 * length, but never the key.
 */
export function checkKey(key: unknown, prefix: string): string {
  if (typeof key !== "string") throw invalidType(`a key must be a string, not ${kindOf(key)}`);
  const whole = prefix === "" ? key : prefix + key;
  // One pass accepts nearly all keys. Only those that it stops at are looked at more closely.
  if (key === "" || whole.length > MAX_KEY_BYTES || NOT_PRINTABLE_ASCII.test(whole)) {
    const broken = brokenKeyRule(key, whole);
    if (broken !== undefined) throw invalidType(broken);
  }
  // memcached 1.6.40 and newer takes the key in `delete noreply` for the option and sends no answer. A
  // key is legal for all commands or for none, so this one is refused for all.
  if (whole === "noreply") {
    throw invalidType('the key "noreply" is refused: servers take it for an option');
  }
  return whole;
}

/** Whether a text has a character that no key may hold. */
export function isForbidden(text: string): boolean {
  return FORBIDDEN.test(text);
}

/**
 * Checks a prefix (or namespace) by the rule for keys. An empty one is legal and means that there is
 * none.
 */
export function checkPrefix(prefix: unknown, name: string): string {
  if (typeof prefix !== "string") {
    throw invalidType(`${name} must be a string, not ${kindOf(prefix)}`);
  }
  const forbidden = FORBIDDEN.exec(prefix);
  if (forbidden !== null) {
    throw invalidType(
      `${name} has a character that no key may hold, at position ${forbidden.index}`,
    );
  }
  if (byteLength(prefix) >= MAX_KEY_BYTES) {
    throw invalidType(
      `${name} has ${byteLength(prefix)} bytes and leaves no room for a key of 250`,
    );
  }
  return prefix;
}

function brokenKeyRule(key: string, whole: string): string | undefined {
  if (key === "") return "a key must not be empty";
  const forbidden = FORBIDDEN.exec(whole);
  if (forbidden !== null) {
    const what = whole.charCodeAt(forbidden.index) > 0x7f
      ? "half of a surrogate pair"
      : "a space or control character";
    return `a key must not hold ${what}: there is one at position ${forbidden.index}`;
  }
  const bytes = byteLength(whole);
  if (bytes <= MAX_KEY_BYTES) return undefined;
  return `a key has at most ${MAX_KEY_BYTES} bytes with its prefix, this one has ${bytes}`;
}

/** The session cookie: reads it from a request's header and writes it for a response's. */
import { readOptions } from "../checks/options.ts";
import { checkBoolean, checkText, kindOf, oneOf } from "../checks/values.ts";
import { invalidRange, invalidType } from "../errors.ts";

/** Browsers accept this prefix only with Secure, Path=/ and no Domain (RFC 6265bis, 4.1.3.2). */
const DEFAULT_NAME = "__Host-session";

// 68 years. More is milliseconds by mistake.
const MAX_AGE = 2 ** 31 - 1;

// RFC 6265, 4.1.1: a name is a token, a value has no space, quote, comma, semicolon or backslash.
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const COOKIE_VALUE = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/;
// deno-lint-ignore no-control-regex -- the pattern looks for control characters
const NOT_IN_ATTRIBUTE = /[\x00-\x1f\x7f;]/;

/**
 * Reads a cookie from a Cookie header. If the header has several of this name, the first that is not empty
 * counts. Returns undefined if it has none, and throws a `TypeError` if the header is not a string.
 *
 * @param header The request's Cookie header, one string.
 * @param name The cookie's name. Default "__Host-session".
 *
 * @example
 * ```ts
 * import { readCookie } from "memwire";
 *
 * console.log(readCookie("theme=dark; sid=abc", "sid")); // abc
 * ```
 */
export function readCookie(
  header: string | null | undefined,
  name: string = DEFAULT_NAME,
): string | undefined {
  checkName(name);
  if (header === null || header === undefined) return undefined;
  if (typeof header !== "string") {
    throw invalidType(`a Cookie header must be a string, not ${kindOf(header)}`);
  }
  let found: string | undefined;
  for (const pair of header.split(";")) {
    const equals = pair.indexOf("=");
    if (equals < 0 || bare(pair.slice(0, equals)) !== name) continue;
    found = unquoted(bare(pair.slice(equals + 1)));
    // A cookie that was cleared for another path or domain may still be sent, with an empty value.
    if (found !== "") return found;
  }
  return found;
}

/**
 * Makes the value of a Set-Cookie header; by default HttpOnly, Secure, SameSite=Lax, Path=/.
 *
 * Throws a `TypeError` for characters that a cookie may not hold, and for combinations that browsers refuse.
 *
 * @param id The session's id; undefined clears the cookie.
 * @param options The cookie's attributes. Each states its default.
 *
 * @example
 * ```ts
 * import { sessionCookie } from "memwire";
 *
 * console.log(sessionCookie("abc")); // __Host-session=abc; Path=/; HttpOnly; Secure; SameSite=Lax
 * ```
 */
export function sessionCookie(id: string | undefined, options?: {
  /** Default "__Host-session". */
  name?: string | undefined;
  /** How many seconds the browser keeps the cookie. Default: until the browser is closed. */
  maxAge?: number | undefined;
  /** The browser sends the cookie over HTTPS only. Default true. */
  secure?: boolean | undefined;
  /** Default "Lax". */
  sameSite?: "Lax" | "Strict" | "None" | undefined;
  /** Default: only the host that sets the cookie. A domain needs another name than the default one. */
  domain?: string | undefined;
  /** Must begin with "/". Default "/". */
  path?: string | undefined;
  /** Keeps a separate cookie for each site that embeds this one (CHIPS). Needs `secure`. Default false. */
  partitioned?: boolean | undefined;
}): string {
  const given = readOptions<NonNullable<typeof options>>(options, {
    name: undefined,
    maxAge: undefined,
    secure: undefined,
    sameSite: undefined,
    domain: undefined,
    path: undefined,
    partitioned: undefined,
  });
  const { name = DEFAULT_NAME, maxAge, secure = true, sameSite = "Lax" } = given;
  const { domain, path = "/", partitioned = false } = given;
  checkName(name);
  if (id !== undefined && typeof id !== "string") {
    throw invalidType(`the id must be a string, or undefined, not ${kindOf(id)}`);
  }
  if (id !== undefined && !COOKIE_VALUE.test(id)) {
    throw invalidType("the id holds a character that a cookie's value may not hold");
  }
  checkBoolean(secure, "secure");
  oneOf(sameSite, ["Lax", "Strict", "None"], "sameSite");
  if (sameSite === "None" && !secure) throw invalidType('sameSite "None" needs secure');
  if (checkBoolean(partitioned, "partitioned") && !secure) {
    throw invalidType("partitioned needs secure");
  }
  if (!attribute(path, "path").startsWith("/")) {
    // Otherwise browsers would use the path of the page that sets the cookie (RFC 6265, 5.2.4).
    throw invalidType(`path must begin with "/", not ${JSON.stringify(path)}`);
  }
  checkPrefixRules(name, secure, domain, path);
  const parts = [`${name}=${id ?? ""}`, `Path=${path}`];
  if (domain !== undefined) parts.push(`Domain=${attribute(domain, "domain")}`);
  const age = maxAge === undefined ? undefined : wholeSeconds(maxAge);
  if (id === undefined) parts.push("Max-Age=0");
  else if (age !== undefined) parts.push(`Max-Age=${age}`);
  parts.push("HttpOnly");
  if (secure) parts.push("Secure");
  parts.push(`SameSite=${sameSite}`);
  if (partitioned) parts.push("Partitioned");
  return parts.join("; ");
}

function checkName(name: unknown): void {
  if (typeof name !== "string" || !TOKEN.test(name)) {
    throw invalidType(
      "a cookie's name must be a token: letters, digits and some punctuation, no spaces",
    );
  }
}

function unquoted(value: string): string {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"')
    ? value.slice(1, -1)
    : value;
}

// trim() would also remove U+2000. Any page of the domain can set a cookie named U+2000 and
// "__Host-session", because browsers do not see the prefix there, and it must not pass for ours.
function bare(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && isBlank(text[from])) from++;
  while (to > from && isBlank(text[to - 1])) to--;
  return text.slice(from, to);
}

function isBlank(char: string | undefined): boolean {
  return char === " " || char === "\t";
}

// Browsers recognize the prefixes in upper and lower case (RFC 6265bis, 5.7).
function checkPrefixRules(
  name: string,
  secure: boolean,
  domain: string | undefined,
  path: string,
): void {
  if (/^__host-/i.test(name) && (!secure || domain !== undefined || path !== "/")) {
    throw invalidType('a name that begins with "__Host-" needs secure, the path "/" and no domain');
  }
  if (/^__secure-/i.test(name) && !secure) {
    throw invalidType('a name that begins with "__Secure-" needs secure');
  }
}

function attribute(value: unknown, name: string): string {
  const text = checkText(value, name);
  if (NOT_IN_ATTRIBUTE.test(text)) {
    throw invalidType(`${name} holds a character that a cookie's attribute may not hold`);
  }
  return text;
}

function wholeSeconds(maxAge: number): number {
  if (typeof maxAge !== "number") {
    throw invalidType(`maxAge must be a number of seconds, not ${kindOf(maxAge)}`);
  }
  if (!Number.isFinite(maxAge) || maxAge > MAX_AGE) {
    throw invalidRange(`maxAge must be a number of seconds up to ${MAX_AGE}, not ${maxAge}`);
  }
  return Math.max(0, Math.ceil(maxAge));
}

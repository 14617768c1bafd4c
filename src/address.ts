/**
 * How users write servers, and what is read from that. Pure: no name is looked up here.
 *
 * A server has an address (where to connect) and an id (its name on the hash ring). They are kept apart
 * so that an address can change without moving a key.
 */
import { readOptions } from "./checks/options.ts";
import { kindOf, oneOf } from "./checks/values.ts";
import { invalidRange, invalidType } from "./errors.ts";

/** memcached's registered port. */
export const DEFAULT_PORT = 11211;

// The longest key of memcached.
const MAX_KEY_BYTES = 250;

/**
 * A server as the caller writes it: `"host"`, `"host:port"`, `"::1"`, `"[::1]:11211"`,
 * `"inet6:[::1]:11211"`, `"unix:/path"`, `"memcached://[user:password@]host:port"`,
 * `"memcacheds://..."` (TLS), a pair with a weight, or an object. The port is 11211 if none is given.
 */
export type ServerSpec =
  | string
  | readonly [address: string, weight: number]
  | {
    /** Host name or IP address. */
    host: string;
    /** 1 to 65535. Default 11211. */
    port?: number | undefined;
    /** Share of the keys, 1 to 65535. Default 1. */
    weight?: number | undefined;
    /** Name on the ring. Default: the address, as the hashing preset's own client writes it. */
    id?: string | undefined;
  }
  | {
    /** Path of a unix socket. */
    path: string;
    /** Share of the keys, 1 to 65535. Default 1. */
    weight?: number | undefined;
    /** Name on the ring. Default: the path, as the hashing preset's own client writes it. */
    id?: string | undefined;
  };

/** Where a server listens. */
export type Address =
  | {
    readonly kind: "tcp";
    readonly host: string;
    readonly port: number;
    /** Where the host is, if that is known and need not be looked up. */
    readonly ip?: string;
  }
  | { readonly kind: "unix"; readonly path: string };

/** A user name and password for memcached's text-protocol authentication. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
  /** Whose first command it is: memcached's own, by default, or MemCachier's. */
  readonly form?: "memcached" | "memcachier" | undefined;
}

/** A server's specification, read and checked. */
export interface ServerConfig {
  readonly address: Address;
  readonly weight: number;
  /** The id that was given; undefined: the hashing preset names the server. */
  readonly id: string | undefined;
  /** `memcacheds://` asks for TLS. */
  readonly tls: boolean;
  readonly auth: Credentials | undefined;
}

// Shared by every copy of this package: a list may come from another one. A symbol, because this is no
// option that anybody gives.
const IP = Symbol.for("memwire.ip");

/**
 * A specification of a server whose address is known already: it is on the ring, in messages and to TLS by
 * its name, and connected to by its address.
 */
export function locatedServer(host: string, port: number, ip: string | undefined): ServerSpec {
  return ip === undefined ? { host, port } : Object.defineProperty({ host, port }, IP, {
    value: ip,
  });
}

/** `host:port`, `[v6]:port` or `unix:/path`. */
export function formatAddress(address: Address): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

/**
 * Reads a list of servers; a string may name several, separated by commas or spaces.
 *
 * Throws a `TypeError` for a malformed address and a `RangeError` for a port or weight out of range. The
 * message shows the address and its position from 0, but no list that holds credentials.
 */
export function parseServers(servers: string | readonly ServerSpec[]): ServerConfig[] {
  if (typeof servers !== "string" && !Array.isArray(servers)) {
    throw invalidType(
      `servers must be a string or an array of server specifications, not ${kindOf(servers)}`,
    );
  }
  const specs: readonly ServerSpec[] = typeof servers === "string" ? splitList(servers) : servers;
  if (specs.length === 0) {
    throw invalidType(
      `servers must name at least one server, not be an empty ${
        typeof servers === "string" ? "string" : "array"
      }`,
    );
  }
  const secret = specs.some((spec) => addressOf(spec)?.includes("@"));
  return specs.map((spec, index) => parseServer(spec, `server ${index}${shown(spec, secret)}`));
}

/** The addresses of a list in a string. A comma at its end, as scripts leave one, counts for nothing. */
function splitList(text: string): string[] {
  const trimmed = text.trim();
  if (trimmed === "") return [];
  const parts = trimmed.split(/\s*,\s*|\s+/);
  if (parts.at(-1) === "") parts.pop();
  // Elsewhere an empty item is a variable that is not set. If that server were left out, keys would move.
  const empty = parts.indexOf("");
  if (empty >= 0 || parts.length === 0) {
    throw invalidType(`server ${Math.max(0, empty)} is empty: there is nothing before its comma`);
  }
  return parts;
}

function addressOf(spec: unknown): string | undefined {
  const address: unknown = Array.isArray(spec) ? spec[0] : spec;
  return typeof address === "string" ? address : undefined;
}

// Longer than any host name.
const MAX_SHOWN = 270;

// A URL in which no part can be a password.
const PLAIN_URL = /^\w+:\/\/[\w.-]*(:\d*)?\/?$/;

/**
 * The address for a message, unless it may hold credentials. If a comma has cut a URL in two, the "@"
 * behind the credentials is in the next piece, or missing.
 */
function shown(spec: unknown, secret: boolean): string {
  const address = addressOf(spec);
  if (address === undefined) return "";
  if (secret || (address.includes("://") && !PLAIN_URL.test(address))) {
    return " (not shown, since it may hold credentials)";
  }
  return ` ${JSON.stringify(address.slice(0, MAX_SHOWN))}`;
}

function parseServer(spec: ServerSpec, what: string): ServerConfig {
  if (typeof spec === "string") return parseAddress(spec.trim(), 1, what);
  if (Array.isArray(spec)) {
    const [address, weight]: readonly unknown[] = spec;
    if (typeof address !== "string") throw invalidType(`${what}: an address must be a string`);
    if (spec.length > 2) throw invalidType(`${what}: a pair has only an address and a weight`);
    return parseAddress(address.trim(), checkWeight(weight, what), what);
  }
  if (typeof spec !== "object" || spec === null) {
    throw invalidType(`${what} must be a string, a pair or an object`);
  }
  const { host, port, path, weight = 1, id } = readOptions<SpecFields>(
    spec as SpecFields,
    { host: undefined, port: undefined, path: undefined, weight: undefined, id: undefined },
    what,
  );
  const common = {
    weight: checkWeight(weight, what),
    id: checkId(id, what),
    tls: false,
    auth: undefined,
  };
  if (path !== undefined) {
    if (host !== undefined || port !== undefined) {
      throw invalidType(`${what} has both a path and a host or port`);
    }
    return { address: unixAddress(path, what), ...common };
  }
  if (typeof host !== "string") throw invalidType(`${what} needs a host or a path`);
  const bare = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
  const address = tcpAddress(bare, port === undefined ? DEFAULT_PORT : port, what);
  const ip = (spec as { [IP]?: string })[IP];
  return { address: ip === undefined ? address : { ...address, ip }, ...common };
}

/** The properties of both kinds of object that specify a server. */
interface SpecFields {
  host?: string | undefined;
  port?: number | undefined;
  path?: string | undefined;
  weight?: number | undefined;
  id?: string | undefined;
}

function parseAddress(text: string, weight: number, what: string): ServerConfig {
  const common = { weight, id: undefined, tls: false, auth: undefined };
  if (/^memcacheds?:\/\//.test(text)) return parseUrl(text, weight, what);
  if (text.startsWith("unix:")) {
    return { address: unixAddress(text.slice("unix:".length), what), ...common };
  }
  const { host, port } = splitHostPort(text, what);
  return { address: tcpAddress(host, port, what), ...common };
}

function splitHostPort(text: string, what: string): { host: string; port: number } {
  const rest = text.startsWith("inet6:") ? text.slice("inet6:".length) : text;
  const bracketed = /^\[([^[\]]+)\](?::([0-9]+))?$/.exec(rest);
  if (bracketed !== null) {
    return { host: bracketed[1]!, port: Number(bracketed[2] ?? DEFAULT_PORT) };
  }
  const colons = rest.split(":").length - 1;
  if (colons > 1) return { host: rest, port: DEFAULT_PORT }; // a bare IPv6 address
  const plain = /^([^:]+)(?::([0-9]+))?$/.exec(rest);
  if (plain === null) throw malformed(what);
  return { host: plain[1]!, port: Number(plain[2] ?? DEFAULT_PORT) };
}

function parseUrl(text: string, weight: number, what: string): ServerConfig {
  const parts = /^memcached(s?):\/\/(?:([^@/]*)@)?([^@/]+)\/?$/.exec(text);
  if (parts === null) throw malformed(what);
  const [, secure, userinfo, authority] = parts;
  const { host, port } = splitHostPort(authority!, what);
  return {
    address: tcpAddress(host, port, what),
    weight,
    id: undefined,
    tls: secure === "s",
    auth: userinfo === undefined ? undefined : parseUserinfo(userinfo, what),
  };
}

function parseUserinfo(userinfo: string, what: string): Credentials {
  const colon = userinfo.indexOf(":");
  if (colon < 0) throw invalidType(`${what}: credentials are written user:password`);
  try {
    return checkCredentials(
      decodeURIComponent(userinfo.slice(0, colon)),
      decodeURIComponent(userinfo.slice(colon + 1)),
    );
  } catch (error) {
    if (error instanceof URIError) {
      throw invalidType(`${what}: credentials hold a malformed % sequence`);
    }
    throw error;
  }
}

/** Reads the option `auth`. */
export function readCredentials(auth: Credentials): Credentials {
  const { username, password, form } = readOptions<Credentials>(
    auth,
    { username: undefined, password: undefined, form: undefined },
    "auth",
  );
  const checked = checkCredentials(username, password);
  if (form === undefined) return checked;
  if (form === "memcachier") checkWord(checked.username);
  return { ...checked, form: oneOf(form, FORMS, "auth.form") };
}

const FORMS = ["memcached", "memcachier"] as const;

/** MemCachier takes the user's name as a key. */
function checkWord(username: string): void {
  if (new TextEncoder().encode(username).length > MAX_KEY_BYTES) {
    throw invalidRange(`auth.username must have at most ${MAX_KEY_BYTES} bytes for MemCachier`);
  }
}

/**
 * Checks credentials: memcached reads "user password" up to the end of the line (its
 * doc/protocol.txt, "Authentication"), so neither may hold a space or a control character.
 */
function checkCredentials(username: unknown, password: unknown): Credentials {
  const whole = (part: unknown): part is string =>
    // deno-lint-ignore no-control-regex -- control characters are what is looked for
    typeof part === "string" && part !== "" && !/[\x00-\x20\x7f]/.test(part);
  const rule = "must be a string without spaces and control characters, and not empty";
  if (!whole(username)) throw invalidType(`auth.username ${rule}`);
  if (!whole(password)) throw invalidType(`auth.password ${rule}`);
  return { username, password };
}

function tcpAddress(
  host: string,
  port: unknown,
  what: string,
): Address & { readonly kind: "tcp" } {
  if (!(host.includes(":") ? isIPv6(host) : /^[\w.-]+$/.test(host))) throw malformed(what);
  if (!isUint16(port)) {
    throw invalidRange(
      `${what}: a port is a whole number from 1 to 65535, not ${numberOrKind(port)}`,
    );
  }
  return { kind: "tcp", host, port };
}

/** Whether the text is an IP address, and so no name. */
export function isIp(text: string): boolean {
  const byte = "(25[0-5]|2[0-4]\\d|1?\\d?\\d)";
  return isIPv6(text) || new RegExp(`^${byte}(\\.${byte}){3}$`).test(text);
}

/** Eight groups, or fewer around one `::`; the last two may be an IPv4 address (RFC 4291, section 2.2). */
function isIPv6(text: string): boolean {
  const [, address = ""] = /^([0-9A-Fa-f:.]+)(?:%[\w.-]+)?$/.exec(text) ?? [];
  const halves = address.replace(/(?<=:)\d{1,3}(\.\d{1,3}){3}$/, "0:0").split("::");
  const groups = halves.flatMap((half) => half === "" ? [] : half.split(":"));
  return groups.every((group) => /^[0-9A-Fa-f]{1,4}$/.test(group)) &&
    (halves.length === 1 ? groups.length === 8 : halves.length === 2 && groups.length < 8);
}

function unixAddress(path: unknown, what: string): Address {
  if (typeof path !== "string" || path === "" || path.includes("\0")) {
    throw invalidType(`${what}: a unix socket needs a path`);
  }
  return { kind: "unix", path };
}

function checkWeight(weight: unknown, what: string): number {
  if (!isUint16(weight)) {
    throw invalidRange(
      `${what}: a weight is a whole number from 1 to 65535, not ${numberOrKind(weight)}`,
    );
  }
  return weight;
}

function numberOrKind(value: unknown): string {
  return typeof value === "number" ? String(value) : kindOf(value);
}

function isUint16(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 65535;
}

function checkId(id: unknown, what: string): string | undefined {
  if (id === undefined) return undefined;
  if (typeof id !== "string" || id === "") {
    throw invalidType(`${what}: an id is a string, not empty`);
  }
  return id;
}

function malformed(what: string): TypeError {
  return invalidType(
    `${what} is malformed: expected host, host:port, [v6]:port, unix:/path, ` +
      `memcached://host:port or memcacheds://host:port, one server each`,
  );
}

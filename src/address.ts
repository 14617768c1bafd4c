/**
 * How a server is written down, and what is read from it. Pure: no name is looked up here.
 *
 * A server has an address (where to connect) and an id (its name on the hash ring); they are kept
 * apart so that an address can change without moving a key.
 */
import { invalidRange, invalidType } from "./errors.ts";

/** memcached's registered port. */
export const DEFAULT_PORT = 11211;

/** A server as errors, channels and `serverFor` name it. */
export interface ServerRef {
  /** Name on the ring. */
  readonly id: string;
  /** `host:port`, `[v6]:port` or `unix:/path`; never credentials. */
  readonly address: string;
}

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
    port?: number;
    /** Share of the keys, 1 to 65535. Default 1. */
    weight?: number;
    /** Name on the ring. Default: the address, as the hashing preset's own client writes it. */
    id?: string;
  }
  | {
    /** Path of a unix socket. */
    path: string;
    /** Share of the keys, 1 to 65535. Default 1. */
    weight?: number;
    /** Name on the ring. Default: the path, as the hashing preset's own client writes it. */
    id?: string;
  };

/** Where a server listens. */
export type Address =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** A user name and password for memcached's text-protocol authentication. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** A server's specification, read and checked. */
export interface ServerConfig {
  readonly address: Address;
  readonly weight: number;
  /** As given; undefined leaves the name to the hashing preset. */
  readonly id: string | undefined;
  /** `memcacheds://` asks for TLS. */
  readonly tls: boolean;
  readonly auth: Credentials | undefined;
}

/** `host:port`, `[v6]:port` or `unix:/path`. */
export function formatAddress(address: Address): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

/**
 * Reads a list of servers; a string may name several, separated by commas.
 *
 * Throws a `TypeError` for a malformed address and a `RangeError` for a port or weight out of range.
 */
export function parseServers(servers: string | readonly ServerSpec[]): ServerConfig[] {
  const specs = typeof servers === "string" ? servers.split(",") : servers;
  if (!Array.isArray(specs)) {
    throw invalidType("servers must be a string or an array of server specifications");
  }
  if (specs.length === 0) throw invalidType("servers must name at least one server");
  return specs.map((spec, index) => parseServer(spec as ServerSpec, `server ${index}`));
}

function parseServer(spec: ServerSpec, what: string): ServerConfig {
  if (typeof spec === "string") return parseAddress(spec.trim(), 1, what);
  if (Array.isArray(spec)) {
    const [address, weight] = spec as readonly [unknown, unknown];
    if (typeof address !== "string") throw invalidType(`${what}: an address must be a string`);
    return parseAddress(address, checkWeight(weight, what), what);
  }
  if (typeof spec !== "object" || spec === null) {
    throw invalidType(`${what} must be a string, a pair or an object`);
  }
  const { host, port, path, weight, id } = spec as Record<string, unknown>;
  const common = {
    weight: weight === undefined ? 1 : checkWeight(weight, what),
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
  return { address, ...common };
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
    return { host: bracketed[1] as string, port: Number(bracketed[2] ?? DEFAULT_PORT) };
  }
  const colons = rest.split(":").length - 1;
  if (colons > 1) return { host: rest, port: DEFAULT_PORT }; // a bare IPv6 address
  const plain = /^([^:]+)(?::([0-9]+))?$/.exec(rest);
  if (plain === null) throw malformed(what);
  return { host: plain[1] as string, port: Number(plain[2] ?? DEFAULT_PORT) };
}

function parseUrl(text: string, weight: number, what: string): ServerConfig {
  const parts = /^memcached(s?):\/\/(?:([^@/]*)@)?([^@/]+)\/?$/.exec(text);
  if (parts === null) throw malformed(what);
  const [, secure, userinfo, authority] = parts;
  const { host, port } = splitHostPort(authority as string, what);
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
    return checkCredentials({
      username: decodeURIComponent(userinfo.slice(0, colon)),
      password: decodeURIComponent(userinfo.slice(colon + 1)),
    });
  } catch (error) {
    if (error instanceof URIError) {
      throw invalidType(`${what}: credentials hold a malformed % sequence`);
    }
    throw error;
  }
}

/**
 * Checks credentials: memcached reads "user password" up to the end of the line (its
 * doc/protocol.txt, "Authentication"), so neither may hold a space or a control character.
 */
export function checkCredentials(auth: Credentials): Credentials {
  for (const name of ["username", "password"] as const) {
    const part: unknown = auth?.[name];
    // deno-lint-ignore no-control-regex -- control characters are what is looked for
    if (typeof part !== "string" || part === "" || /[\x00-\x20\x7f]/.test(part)) {
      throw invalidType(`auth.${name} must be a string without spaces and control characters`);
    }
  }
  return { username: auth.username, password: auth.password };
}

function tcpAddress(host: string, port: unknown, what: string): Address {
  if (!(host.includes(":") ? isIPv6(host) : /^[\w.-]+$/.test(host))) throw malformed(what);
  if (!Number.isInteger(port) || (port as number) < 1 || (port as number) > 65535) {
    throw invalidRange(`${what}: a port is a whole number from 1 to 65535`);
  }
  return { kind: "tcp", host, port: port as number };
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
  if (!Number.isInteger(weight) || (weight as number) < 1 || (weight as number) > 65535) {
    throw invalidRange(`${what}: a weight is a whole number from 1 to 65535`);
  }
  return weight as number;
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
      `memcached://host:port or memcacheds://host:port`,
  );
}

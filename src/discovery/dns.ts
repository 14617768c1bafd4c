/** Servers by DNS: the targets of SRV records, or the addresses of a name. */
import { Resolver } from "node:dns/promises";
import { DEFAULT_PORT, isIp, locatedServer, type ServerSpec } from "../address.ts";
import { readOptions } from "../checks/options.ts";
import { checkBoolean, checkText, checkWhole, kindOf } from "../checks/values.ts";
import type { Discovery } from "../cluster/discovery.ts";
import { describeNetworkError } from "../connection/network_words.ts";
import { ClosedError, invalidType, isMemcachedError, ServerDownError } from "../errors.ts";
import { checkInterval, polling, type Source } from "./polling.ts";

/** Options of {@link dns}. */
export interface DnsOptions {
  /** The port of servers found by address. Default 11211. SRV records tell it themselves. */
  port?: number | undefined;
  /** Whether to ask for SRV records. Default: whether the name begins with "_". */
  srv?: boolean | undefined;
  /** Seconds between two questions, more or less a fifth. Default 30. */
  interval?: number | undefined;
  /** Name servers to ask instead of the system's, as `"10.0.0.10"` or `"10.0.0.10:53"`; in Deno that needs --allow-sys. */
  nameservers?: readonly string[] | undefined;
}

// Of one try; the runtimes differ in how exactly they keep to it.
const TIMEOUT_MS = 1000;
const TRIES = 2;

/**
 * The servers that DNS names: of SRV records the targets, of another name its addresses (A, or AAAA if it has no
 * A).
 *
 * SRV targets are on the ring by their names, so that a pod that comes back under another address moves no key.
 * Addresses are on the ring as they are, so a pod that moves takes its share of the keys to another place: use
 * SRV where you can. Weights and priorities of SRV records are not looked at.
 *
 * @param name `"_memcache._tcp.memcached.default.svc.cluster.local"`, for example.
 * @param options Defaults stand with {@link DnsOptions}.
 * @returns What `new Memcached(...)` and `SessionStore` take in place of a list. Throws a `TypeError` or
 * `RangeError` for a malformed argument.
 *
 * @example
 * ```ts no-run
 * import { Memcached } from "memwire";
 * import { dns } from "memwire/discovery";
 *
 * const memcached = new Memcached(dns("_memcache._tcp.memcached.default.svc.cluster.local"));
 * ```
 */
export function dns(name: string, options?: DnsOptions): Discovery {
  const given = readOptions<DnsOptions>(options, {
    port: undefined,
    srv: undefined,
    interval: undefined,
    nameservers: undefined,
  });
  if (!/^[\w.-]+$/.test(checkText(name, "name")) || isIp(name)) {
    throw invalidType("name must be a name that DNS knows, without a port");
  }
  const srv = checkBoolean(given.srv ?? name.startsWith("_"), "srv");
  if (srv && given.port !== undefined) {
    throw invalidType("port cannot be combined with SRV records, which have their own");
  }
  const port = checkWhole(given.port ?? DEFAULT_PORT, "port", 1, 65_535);
  const nameservers = checkNameservers(given.nameservers);
  const interval = checkInterval(given.interval ?? 30);
  return polling(() => new Names(name, srv ? undefined : port, nameservers), interval);
}

function checkNameservers(nameservers: unknown): readonly string[] | undefined {
  if (nameservers === undefined) return undefined;
  const isServer = (one: unknown): boolean => {
    const [, v6, v4] = /^\[([^\]]*)\]:\d{1,5}$|^([\d.]+):\d{1,5}$/.exec(String(one)) ?? [];
    return typeof one === "string" && isIp(v6 ?? v4 ?? one);
  };
  if (Array.isArray(nameservers) && nameservers.length > 0 && nameservers.every(isServer)) {
    return nameservers as string[];
  }
  throw invalidType(
    `nameservers must be a list of addresses, each with a port or not, not ${kindOf(nameservers)}`,
  );
}

/** A name that is looked up for one client. */
class Names implements Source {
  readonly #name: string;
  /** undefined: SRV records tell it. */
  readonly #port: number | undefined;
  readonly #nameservers: readonly string[] | undefined;
  #resolver: Resolver | undefined;
  #family: 4 | 6 | undefined;
  /** Where each target was last. */
  #places = new Map<string, string>();
  #closed = false;

  constructor(
    name: string,
    port: number | undefined,
    nameservers: readonly string[] | undefined,
  ) {
    this.#name = name;
    this.#port = port;
    this.#nameservers = nameservers;
  }

  async ask(): Promise<readonly ServerSpec[]> {
    try {
      const servers = this.#port === undefined
        ? await this.#targets()
        : (await this.#addresses()).map((ip) => ({ host: ip, port: this.#port as number }));
      if (servers.length > 0) return servers;
      throw new ServerDownError(`${this.#name} names no server`);
    } catch (error) {
      if (this.#closed) throw new ClosedError("the client has been closed");
      if (isMemcachedError(error)) throw error;
      const words = describeNetworkError(error as Error);
      throw new ServerDownError(`${this.#name} could not be looked up: ${words}`, { cause: error });
    }
  }

  close(): void {
    this.#closed = true;
    try {
      this.#resolver?.cancel();
    } catch {
      // Deno before 2.5 cannot, and then waits for the answer.
    }
  }

  #asked(): Resolver {
    if (this.#resolver === undefined) {
      this.#resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
      if (this.#nameservers !== undefined) this.#resolver.setServers(this.#nameservers);
    }
    return this.#resolver;
  }

  async #addresses(): Promise<readonly string[]> {
    const { family, addresses } = await this.#lookUp(this.#name, this.#family);
    // A server of both families has records of both: it must not come twice, nor change its name when one of
    // the questions fails.
    this.#family = family;
    return addresses;
  }

  async #targets(): Promise<readonly ServerSpec[]> {
    const records = await this.#asked().resolveSrv(this.#name);
    // "." is a service that is not there (RFC 2782).
    const targets = new Map(
      records.map(({ name, port }) => ({ host: name.replace(/\.$/, ""), port }))
        .filter(({ host, port }) => host !== "" && port > 0)
        .map((target) => [`${target.host}:${target.port}`, target]),
    );
    const sorted = [...targets].sort(([a], [b]) => a < b ? -1 : 1).map(([, target]) => target);
    const places = new Map<string, string>();
    await Promise.all([...new Set(sorted.map(({ host }) => host))].map(async (host) => {
      const place = await this.#placeOf(host);
      if (place !== undefined) places.set(host, place);
    }));
    this.#places = places;
    return sorted.map(({ host, port }) => locatedServer(host, port, places.get(host)));
  }

  /** Where a target is now; where it was, if that cannot be learnt; undefined: it is looked up to connect. */
  async #placeOf(host: string): Promise<string | undefined> {
    const last = this.#places.get(host);
    try {
      const { addresses } = await this.#lookUp(host, undefined);
      return last !== undefined && addresses.includes(last) ? last : addresses[0] ?? last;
    } catch {
      return last;
    }
  }

  /** The addresses of a name, sorted, so that all clients have them in one order. */
  async #lookUp(
    name: string,
    known: 4 | 6 | undefined,
  ): Promise<{ family: 4 | 6; addresses: readonly string[] }> {
    const resolver = this.#asked();
    const sorted = (found: readonly string[]): string[] => [...new Set(found)].sort();
    if (known !== 6) {
      try {
        return { family: 4, addresses: sorted(await resolver.resolve4(name)) };
      } catch (error) {
        if (known === 4 || !isAbsent(error)) throw error;
      }
    }
    return { family: 6, addresses: sorted(await resolver.resolve6(name)) };
  }
}

/** Whether the answer was that there are no such records. */
function isAbsent(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === "ENODATA" || code === "ENOTFOUND";
}

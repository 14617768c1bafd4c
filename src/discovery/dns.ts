/** Finds servers by DNS: the targets of SRV records, or the addresses of a name. */
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
  /** The port of servers found by address, from 1 to 65,535. Default 11211. SRV records hold their own ports. */
  port?: number | undefined;
  /** Whether to ask for SRV records. Default: whether the name begins with "_". */
  srv?: boolean | undefined;
  /** Seconds between two questions, varied by up to a fifth. Default 30. */
  interval?: number | undefined;
  /** Name servers to use instead of the system's: `"10.0.0.10"` or `"10.0.0.10:53"`. Deno needs --allow-sys for it. */
  nameservers?: readonly string[] | undefined;
}

// The timeout of one try. The runtimes do not all keep to it exactly.
const TIMEOUT_MS = 1000;
const TRIES = 2;

/**
 * Finds servers by DNS: the targets of SRV records, or the addresses of a plain name (its A records, or AAAA if
 * it has no A).
 *
 * SRV targets are on the ring by name, so a pod that comes back under another address moves no keys. Addresses
 * are on the ring themselves, so a pod that gets another address takes its share of the keys to another place:
 * use SRV where you can. Weights and priorities of SRV records are ignored.
 *
 * @param name The name to look up, for example `"_memcache._tcp.memcached.default.svc.cluster.local"`.
 * @param options See {@link DnsOptions}, which names the defaults.
 * @returns A discovery, which `new Memcached(...)` and `SessionStore` take in place of a list. Throws a
 * `TypeError` or `RangeError` for a malformed argument.
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
    throw invalidType("name must be a DNS name, without a port");
  }
  const { srv = name.startsWith("_"), port = DEFAULT_PORT, interval = 30 } = given;
  if (checkBoolean(srv, "srv") && given.port !== undefined) {
    throw invalidType("port cannot be combined with SRV records, which have their own ports");
  }
  checkWhole(port, "port", 1, 65_535);
  const nameservers = checkNameservers(given.nameservers);
  return polling(
    () => new Names(name, srv ? undefined : port, nameservers),
    checkInterval(interval),
  );
}

function checkNameservers(nameservers: unknown): readonly string[] | undefined {
  if (nameservers === undefined) return undefined;
  const isServer = (one: unknown): one is string => {
    const [, v6, v4] = /^\[([^\]]*)\]:\d{1,5}$|^([\d.]+):\d{1,5}$/.exec(String(one)) ?? [];
    return typeof one === "string" && isIp(v6 ?? v4 ?? one);
  };
  if (Array.isArray(nameservers) && nameservers.length > 0 && nameservers.every(isServer)) {
    return nameservers;
  }
  throw invalidType(
    `nameservers must be a list of addresses, with or without ports, not ${kindOf(nameservers)}`,
  );
}

/** A name that is looked up for one client. */
class Names implements Source {
  readonly #name: string;
  /** The port of each address; undefined: SRV records hold it. */
  readonly #port: number | undefined;
  readonly #nameservers: readonly string[] | undefined;
  #resolver: Resolver | undefined;
  #family: 4 | 6 | undefined;
  /** The last known address of each target. */
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
      const port = this.#port;
      const servers = port === undefined
        ? await this.#targets()
        : (await this.#addresses()).map((ip) => ({ host: ip, port }));
      if (servers.length > 0) return servers;
      throw new ServerDownError(`DNS has no servers for ${this.#name}`);
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
      // Deno before 2.5 cannot cancel; the query then runs until its answer.
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
    // Stay with one family. A server may have records of both: it must not be listed twice, and its name on the
    // ring must not change when one of the two lookups fails.
    this.#family = family;
    return addresses;
  }

  async #targets(): Promise<readonly ServerSpec[]> {
    const records = await this.#asked().resolveSrv(this.#name);
    // The target "." means that the service is not available (RFC 2782).
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

  /**
   * The address of a target: the current one, or the last known one if the lookup fails. undefined: neither is
   * known, so the name is looked up when a connection is made.
   */
  async #placeOf(host: string): Promise<string | undefined> {
    const last = this.#places.get(host);
    try {
      const { addresses } = await this.#lookUp(host, undefined);
      return last !== undefined && addresses.includes(last) ? last : addresses[0] ?? last;
    } catch {
      return last;
    }
  }

  /** The addresses of a name, sorted so that all clients have them in the same order. */
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

/** Whether the name server answered that there are no such records. */
function isAbsent(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === "ENODATA" || code === "ENOTFOUND";
}

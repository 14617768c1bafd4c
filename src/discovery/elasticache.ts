/** Finds servers by the list of nodes with which ElastiCache, Memorystore and the like answer `config get cluster`. */
import {
  formatAddress,
  locatedServer,
  parseServers,
  readCredentials,
  type ServerConfig,
  type ServerSpec,
} from "../address.ts";
import { readOptions } from "../checks/options.ts";
import { checkMs } from "../checks/values.ts";
import type { MemcachedOptions } from "../client/options.ts";
import type { Discovery } from "../cluster/discovery.ts";
import { AdminConnection } from "../connection/admin_connection.ts";
import { readTlsOptions } from "../connection/tls_options.ts";
import { ClosedError, invalidType, ProtocolError, UnsupportedError } from "../errors.ts";
import { CONFIG_SINCE, isAtLeast } from "../protocol/version.ts";
import { checkInterval, polling, type Source } from "./polling.ts";
import { readNodes } from "./nodes.ts";

/** Options of {@link elasticache}. */
export interface ElastiCacheOptions {
  /** Seconds between two questions, varied by up to a fifth. Default 60. */
  interval?: number | undefined;
  /** Milliseconds allowed for a question, including the time to connect. Default 1000. */
  timeout?: number | undefined;
  /** TLS for the endpoint. The client's own `tls` is for the nodes. */
  tls?: MemcachedOptions["tls"];
  /** Credentials for the endpoint. The client's own `auth` is for the nodes. */
  auth?: MemcachedOptions["auth"];
}

// The key of the list in versions that do not know "config get cluster".
const OLD_KEY = "AmazonElastiCache:cluster";

// The list is one line. 300 nodes of 100 bytes each make 30,000 bytes.
const MAX_LIST_BYTES = 256 * 1024;

// Any node can answer too. If the endpoint does not answer, this many nodes are asked.
const OTHERS = 2;

/**
 * Finds the nodes that a configuration endpoint of ElastiCache or Memorystore lists. Any node of the cluster can
 * be given as the endpoint.
 *
 * The hashing, messages and TLS use the nodes' names from the list, so a node that comes back under another
 * address moves no keys. Connections go to the addresses in the list.
 *
 * @param endpoint The configuration endpoint, in any form of a client's server: `"host"`, `"host:port"`, an object.
 * @param options See {@link ElastiCacheOptions}, which names the defaults.
 * @returns A discovery, which `new Memcached(...)` and `SessionStore` take in place of a list. Throws a
 * `TypeError` or `RangeError` for a malformed argument.
 *
 * @example
 * ```ts
 * import { Memcached } from "memwire";
 * import { elasticache } from "memwire/discovery";
 * import { MemcachedServer } from "memwire/testing";
 *
 * await using node = await MemcachedServer.start();
 * const [host = "", port] = node.address.split(":");
 * node.setCluster(1, [{ host, port: Number(port) }]); // ElastiCache does this by itself
 *
 * await using memcached = new Memcached(elasticache(node.address));
 * await memcached.set("greeting", "hello");
 * console.log(await memcached.get("greeting")); // hello
 * ```
 */
export function elasticache(endpoint: ServerSpec, options?: ElastiCacheOptions): Discovery {
  const given = readOptions<ElastiCacheOptions>(options, {
    interval: undefined,
    timeout: undefined,
    tls: undefined,
    auth: undefined,
  });
  const { interval = 60, timeout = 1000 } = given;
  const servers = parseServers(typeof endpoint === "string" ? endpoint : [endpoint]);
  if (servers.length > 1) throw invalidType("elasticache takes one endpoint, not several");
  const tls = readTlsOptions(given.tls);
  const auth = given.auth === undefined ? undefined : readCredentials(given.auth);
  checkMs(timeout, "timeout");
  return polling(
    () =>
      new Endpoint(servers[0]!, (server) => ({
        ref: { id: formatAddress(server.address), address: formatAddress(server.address) },
        address: server.address,
        tls: server.tls ? tls ?? {} : tls,
        auth: server.auth ?? auth,
      }), timeout),
    checkInterval(interval),
  );
}

type Place = ConstructorParameters<typeof AdminConnection>[0];

/** The endpoint, as one client asks it. */
class Endpoint implements Source {
  readonly #endpoint: ServerConfig;
  readonly #placeOf: (server: ServerConfig) => Place;
  readonly #timeout: number;
  /** The nodes of the last list. */
  #nodes: readonly ServerConfig[] = [];
  #version = -1n;
  #connection: AdminConnection | undefined;
  #closed = false;

  constructor(
    endpoint: ServerConfig,
    placeOf: (server: ServerConfig) => Place,
    timeout: number,
  ) {
    this.#endpoint = endpoint;
    this.#placeOf = placeOf;
    this.#timeout = timeout;
  }

  async ask(): Promise<readonly ServerSpec[]> {
    let first: unknown;
    for (const server of [this.#endpoint, ...this.#nodes.slice(0, OTHERS)]) {
      try {
        return this.#accept(await this.#askOne(this.#placeOf(server)));
      } catch (error) {
        if (this.#closed) break;
        first ??= error;
      }
    }
    throw first ?? new ClosedError("the client has been closed");
  }

  close(): void {
    this.#closed = true;
    this.#connection?.close();
  }

  /** Asks one server, and returns the lines of its answer without the last, `END`. */
  async #askOne(place: Place): Promise<string[]> {
    const connection = new AdminConnection(place, {
      timeout: this.#timeout,
      connectTimeout: this.#timeout,
      total: true,
      signal: undefined,
      ambiguous: false,
      background: true,
      maxLine: MAX_LIST_BYTES,
    }, () => this.#connection = undefined);
    this.#connection = connection;
    const lines: string[] = [];
    const ask = connection.ask((version) =>
      version === "" || isAtLeast(version, CONFIG_SINCE) ? "config get cluster" : `get ${OLD_KEY}`
    );
    for await (const line of ask) {
      if (line === "END") return lines;
      if (lines.length === 0 && !/^(CONFIG cluster|VALUE Amazon\S+) \d+ \d+$/.test(line)) {
        throw new UnsupportedError(
          `${place.ref.address} does not list a cluster: it is not a configuration endpoint`,
        );
      }
      lines.push(line);
      if (lines.length > MAX_LINES) break;
    }
    throw new ProtocolError(`${place.ref.address} sent a malformed list of nodes`);
  }

  #accept([, version = "", list = ""]: readonly string[]): readonly ServerSpec[] {
    const nodes = readNodes(list);
    if (!/^\d{1,20}$/.test(version) || nodes === undefined) {
      throw new ProtocolError("the endpoint sent a list of nodes that is malformed or empty");
    }
    // A node that lags behind sends an older version. The same version may come with other nodes.
    if (BigInt(version) < this.#version) {
      throw new ProtocolError(
        `the endpoint sent version ${version} of the list after version ${this.#version}`,
      );
    }
    this.#version = BigInt(version);
    const servers = nodes.map(({ host, port, ip }) => locatedServer(host, port, ip));
    this.#nodes = parseServers(servers);
    return servers;
  }
}

// The answer has four lines before END, one of them empty.
const MAX_LINES = 8;

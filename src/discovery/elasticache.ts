/** The list of nodes that ElastiCache, Memorystore and what imitates them give to `config get cluster`. */
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
  /** Seconds between two questions, more or less a fifth. Default 60. */
  interval?: number | undefined;
  /** Milliseconds for a question, connecting included. Default 1000. */
  timeout?: number | undefined;
  /** TLS to the endpoint. The client's own `tls` is for the nodes. */
  tls?: MemcachedOptions["tls"];
  /** Credentials for the endpoint. The client's own `auth` is for the nodes. */
  auth?: MemcachedOptions["auth"];
}

// What the list was stored under before there was "config get cluster".
const OLD_KEY = "AmazonElastiCache:cluster";

// The list is one line; of 300 nodes, 100 bytes each, it has 30,000.
const MAX_LIST_BYTES = 256 * 1024;

// Any node answers too: so many are asked if the endpoint does not.
const OTHERS = 2;

/**
 * The nodes that a configuration endpoint of ElastiCache or Memorystore lists, or a node by itself.
 *
 * Nodes are on the ring, in messages and to TLS by the names that the list gives, so that a node that
 * comes back under another address moves no key. They are connected to by the addresses in the list.
 *
 * @param endpoint The configuration endpoint, as a client takes a server: `"host"`, `"host:port"`, an object.
 * @param options Defaults stand with {@link ElastiCacheOptions}.
 * @returns What `new Memcached(...)` and `SessionStore` take in place of a list. Throws a `TypeError` or
 * `RangeError` for a malformed argument.
 *
 * @example
 * ```ts
 * import { Memcached } from "memwire";
 * import { elasticache } from "memwire/discovery";
 * import { MemcachedServer } from "memwire/testing";
 *
 * await using node = await MemcachedServer.start();
 * const [host, port] = node.address.split(":");
 * node.setCluster(1, [{ host, port: Number(port) }]); // ElastiCache does it by itself
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
      new Endpoint(servers[0] as ServerConfig, (server) => ({
        ref: { id: formatAddress(server.address), address: formatAddress(server.address) },
        address: server.address,
        tls: server.tls ? tls ?? {} : tls,
        auth: server.auth ?? auth,
      }), timeout),
    checkInterval(interval),
  );
}

type Place = ConstructorParameters<typeof AdminConnection>[0];

/** An endpoint that is asked for one client. */
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

  /** The lines between the first and the last of the answer. */
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
          `${place.ref.address} does not list a cluster: it is no configuration endpoint`,
        );
      }
      lines.push(line);
      if (lines.length > MAX_LINES) break;
    }
    throw new ProtocolError(`${place.ref.address} gave a list of nodes that is malformed`);
  }

  #accept([, version = "", list = ""]: readonly string[]): readonly ServerSpec[] {
    const nodes = readNodes(list);
    if (!/^\d{1,20}$/.test(version) || nodes === undefined) {
      throw new ProtocolError("the endpoint gave a list of nodes that is malformed or empty");
    }
    // A node that lags behind answers so. The same version may come with other nodes.
    if (BigInt(version) < this.#version) {
      throw new ProtocolError(
        `the endpoint gave version ${version} of the list, after ${this.#version}`,
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

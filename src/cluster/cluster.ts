/** The servers of a client and the hashing that gives each key to one of them. */
import { formatAddress, type ServerConfig } from "../address.ts";
import type { ServerRef } from "../server_ref.ts";
import * as failure from "../connection/failure.ts";
import type { ConnectionSettings } from "../connection/target.ts";
import type { Request } from "../connection/request.ts";
import type { TlsOptions } from "../connection/tls_options.ts";
import type { Credentials } from "../address.ts";
import { invalidRange, invalidType, type MemcachedError, ServerDownError } from "../errors.ts";
import type { Hashing, HashingName, Selector } from "../hashing/hashing.ts";
import { presets } from "../hashing/presets.ts";
import { type Closable, Server } from "./server.ts";

/** What all servers of a cluster share. */
interface ClusterSettings {
  readonly hashing: HashingName | Hashing;
  readonly failover: "none" | "rehash";
  readonly tls: TlsOptions | undefined;
  readonly auth: Credentials | undefined;
  readonly connections: ConnectionSettings;
}

/** The servers of one list. */
interface Topology {
  readonly servers: readonly Server[];
  readonly selector: Selector;
}

/** Servers by key. */
export class Cluster {
  readonly #settings: ClusterSettings;
  readonly #hashing: Hashing;
  readonly #idOf: (config: ServerConfig) => string;
  /** undefined until a list is known. */
  #topology: Topology | undefined;
  /**
   * Servers by address, way of connecting and id, so that a server that stays in the list keeps its
   * connection.
   */
  #known = new Map<string, Server>();
  readonly #leaving = new Set<Promise<void>>();
  /**
   * What `close` ends without waiting for it: a list of keys may be read as slowly as its reader likes.
   */
  readonly closables: Set<Closable> = new Set();

  /** `configs` undefined: the list is still to be found. */
  constructor(configs: readonly ServerConfig[] | undefined, settings: ClusterSettings) {
    this.#settings = settings;
    const { hashing } = settings;
    if (typeof hashing === "function") {
      this.#hashing = hashing;
      this.#idOf = (config) => config.id ?? formatAddress(config.address);
    } else {
      const preset = Object.hasOwn(presets, hashing) ? presets[hashing] : undefined;
      if (preset === undefined) {
        throw invalidType(
          `hashing must be a function or one of ${Object.keys(presets).join(", ")}`,
        );
      }
      this.#hashing = preset.hashing;
      this.#idOf = (config) => config.id ?? preset.idOf(config.address);
    }
    this.#topology = configs && this.#build(configs);
  }

  /** All servers, in the order of the list. */
  get servers(): readonly Server[] {
    return this.#topology?.servers ?? [];
  }

  /** The server that a key belongs to, whether or not it is up. */
  serverFor(key: string): Server {
    const { servers, selector } = this.#listed();
    return servers.length === 1 ? servers[0]! : serverAt(servers, selector.pick(key));
  }

  /**
   * The server that a key's calls go to now: with failover, the first in the key's order that is not
   * down.
   */
  route(key: string): Server {
    const server = this.serverFor(key);
    if (!server.down || this.#settings.failover === "none") return server;
    const { servers, selector } = this.#listed();
    for (const index of selector.order(key)) {
      const next = serverAt(servers, index);
      if (!next.down) return next;
    }
    return server;
  }

  /** Whether failover sends a key's calls to another server now, because its own is down. */
  moves(key: string): boolean {
    return this.serverFor(key).down && !this.route(key).down;
  }

  /** Sends a request to its key's server. */
  send(request: Request<unknown>): void {
    this.route(request.key).send(request);
  }

  /**
   * Takes a new list. Servers that stay keep their connections, those that leave finish what is in
   * flight.
   */
  setServers(configs: readonly ServerConfig[]): void {
    const before = this.#known;
    this.#topology = this.#build(configs);
    // Last, because a listener that hears of a connection's end may deliver the next list.
    for (const [identity, server] of before) {
      if (this.#known.get(identity) !== server) this.#dismiss(server);
    }
  }

  /**
   * Ends lists of keys. Resolves when all else that is in flight has settled and all sockets are closed.
   */
  async close(): Promise<void> {
    for (const closable of this.closables) closable.close(failure.clientClosed());
    await Promise.all([...this.servers.map((server) => server.close()), ...this.#leaving]);
  }

  #listed(): Topology {
    if (this.#topology !== undefined) return this.#topology;
    throw new ServerDownError("there is no list of servers yet");
  }

  #build(configs: readonly ServerConfig[]): Topology {
    const listed = configs.map((config) => {
      const ref: ServerRef = { id: this.#idOf(config), address: formatAddress(config.address) };
      return { config, ref };
    });
    const selector = this.#hashing(
      listed.map(({ config, ref }) => ({ id: ref.id, weight: config.weight })),
    );
    const known = new Map<string, Server>();
    const servers = listed.map(({ config, ref }) => {
      const { address, tls, auth } = config;
      // The name may be the same where the address is not: another machine has come in its place.
      const ip = address.kind === "tcp" ? address.ip : undefined;
      const identity = JSON.stringify([ref.address, ref.id, tls, auth, ip]);
      const server = known.get(identity) ?? this.#known.get(identity) ?? this.#open(config, ref);
      known.set(identity, server);
      return server;
    });
    this.#known = known;
    return { servers, selector };
  }

  #open(config: ServerConfig, ref: ServerRef): Server {
    const { tls, auth, connections } = this.#settings;
    return new Server({
      ref,
      address: config.address,
      tls: config.tls ? tls ?? {} : tls,
      auth: config.auth ?? auth,
      connections,
      closables: this.closables,
      stranded: (request, error) => this.#strand(request, error),
    });
  }

  /** Takes a request whose server went down before it was sent. It fails, unless its key may move. */
  #strand(request: Request<unknown>, error: MemcachedError): void {
    // Without a key it is about that server. A call for several keys distributes them again itself.
    if (this.#settings.failover === "none" || request.key === "") return request.refuse(error);
    let next: Server;
    try {
      next = this.route(request.key);
    } catch (thrown) {
      return request.refuse(thrown); // a custom hashing has thrown
    }
    if (next.down) request.refuse(error);
    else next.send(request);
  }

  #dismiss(server: Server): void {
    const leaving = server.close().then(() => {
      this.#leaving.delete(leaving);
    });
    this.#leaving.add(leaving);
  }
}

/** The server at the index that a hashing has returned. A custom hashing may return a wrong one. */
function serverAt(servers: readonly Server[], index: number): Server {
  const server = servers[index];
  if (server === undefined) {
    throw invalidRange(
      `the hashing function returned ${index}, expected 0 to ${servers.length - 1}`,
    );
  }
  return server;
}

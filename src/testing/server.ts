/** The embedded server, as tests use it. */
import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { formatAddress } from "../address.ts";
import { checkObject, readOptions } from "../checks/options.ts";
import { checkBoolean, checkText, checkWhole, kindOf } from "../checks/values.ts";
import { invalidRange, invalidType } from "../errors.ts";
import type { Call } from "./call.ts";
import { Calls } from "./calls.ts";
import { COMMAND_NAMES } from "./commands.ts";
import { type Cut, Faults, type Slowness } from "./faults.ts";
import { Link } from "./link.ts";
import { Listener } from "./listener.ts";
import { type CheckedOptions, checkOptions, type MemcachedServerOptions } from "./options.ts";
import { type ListenInfo, newState, type ServerState } from "./state.ts";
import { after, every } from "./timers.ts";

/** How often idle connections are looked for, in milliseconds. */
const IDLE_LOOK = 100;

interface ClusterNode {
  host: string;
  ip?: string | undefined;
  port: number;
}

/** Starts a server with checked options. For the command line, which may have more than one user. */
export let startChecked: (checked: CheckedOptions) => Promise<MemcachedServer>;

/**
 * A memcached inside this process, for development and tests. It speaks the text protocol of memcached 1.6.18,
 * classic and meta. It is single-threaded and forgets everything when it stops, so for anything that matters
 * run a real memcached.
 *
 * Methods make it fail on purpose: `stall`, `slow`, `cut`, `refuse`, `fail`, `forget`, `restart`. Each takes
 * effect before it returns or, if it returns a promise, before that resolves.
 *
 * @example
 * ```ts
 * import { Memcached } from "memwire";
 * import { MemcachedServer } from "memwire/testing";
 *
 * const server = await MemcachedServer.start();
 * const cache = new Memcached(server.address);
 * await cache.set("greeting", "hello");
 * console.log(await cache.get("greeting")); // hello
 * await cache.close();
 * await server.stop();
 * ```
 */
export class MemcachedServer implements AsyncDisposable {
  /** Where it listens, as a memwire server specification: `host:port`, `[v6]:port` or `unix:/path`. */
  readonly address: string;
  readonly #options: CheckedOptions;
  readonly #listener: Listener;
  readonly #faults: Faults;
  readonly #calls = new Calls();
  #state: ServerState;
  #endStall: () => void = () => {};
  readonly #endIdleLooks: () => void;
  #stopped: Promise<void> | undefined;

  private constructor(
    options: CheckedOptions,
    faults: Faults,
    listener: Listener,
    listening: ListenInfo,
  ) {
    this.#options = options;
    this.#faults = faults;
    this.#listener = listener;
    this.#state = newState(options.settings, listening, this.#faults, this.#calls);
    const { host, port, path } = listening;
    this.address = path !== undefined || host === undefined
      ? `unix:${path}`
      : formatAddress({ kind: "tcp", host, port });
    this.#endIdleLooks = options.settings.idleTimeout === 0 ? () => {} : every(IDLE_LOOK, () => {
      for (const connection of this.#state.connections.values()) connection.closeIfIdle();
    });
  }

  /**
   * Starts a server and resolves when it listens. The server does not keep the process alive, so a test that
   * forgets to stop it still ends.
   *
   * Rejects with a `TypeError` or `RangeError` for a wrong option, and with the system's error if it cannot
   * listen.
   *
   * @example
   * ```ts
   * import { MemcachedServer } from "memwire/testing";
   *
   * const server = await MemcachedServer.start({ memoryLimit: 8 * 1024 * 1024 });
   * console.log(server.address); // 127.0.0.1:41923, for example
   * await server.stop();
   * ```
   */
  static async start(options?: MemcachedServerOptions): Promise<MemcachedServer> {
    return await startChecked(checkOptions(options));
  }

  static {
    startChecked = async (checked) => {
      const { place, tls } = checked;
      // A connection can arrive before the server object exists; it is closed.
      let serve = (socket: Socket): void => void socket.destroy();
      const faults = new Faults();
      const listener = new Listener(place, tls, faults, (socket) => serve(socket));
      await listener.open();
      const bound = listener.place;
      const listening: ListenInfo = "path" in bound
        ? { host: undefined, port: 0, path: bound.path }
        : { ...bound, path: undefined };
      const server = new MemcachedServer(checked, faults, listener, listening);
      serve = (socket) => server.#serve(socket);
      return server;
    };
  }

  /**
   * The last 10,000 commands that the server has received, the oldest first, with an entry for each key. A
   * client's handshake (`version`, `mn`) is included, its authentication is not.
   */
  get calls(): readonly Call[] {
    return this.#calls.list();
  }

  /**
   * Neither reads nor answers for `ms` milliseconds, like a stopped process. Connections are still accepted, and
   * what arrives meanwhile is answered afterwards, even a TLS handshake.
   *
   * @param ms The duration from now on, which replaces that of an earlier call. 0 ends a stall, and `Infinity`
   * stalls until a call with 0. A number below 0 throws a `RangeError`.
   *
   * @example
   * ```ts
   * import { Memcached } from "memwire";
   * import { MemcachedServer } from "memwire/testing";
   *
   * await using server = await MemcachedServer.start();
   * await using cache = new Memcached(server.address, { timeout: 50 });
   * server.stall(Infinity);
   * console.log(await cache.get("a").catch((error) => error.code)); // TIMEOUT
   * server.stall(0);
   * ```
   */
  stall(ms: number): void {
    checkAmount(ms, "ms", 0);
    this.#endStall();
    this.#endStall = ms === 0 || ms === Infinity ? () => {} : after(ms, () => {
      this.#faults.stalled = false;
    });
    this.#faults.stalled = ms > 0;
  }

  /**
   * Closes the connection that sends next, like a server or a network that fails in the middle of a reply.
   *
   * @param cut `after`: how many bytes it still sends, in one reply or several. Default 0: the command is
   * carried out and its reply is lost. `reset`: closes by a reset (RST) instead of an ordinary end (FIN). Over
   * TLS and on unix sockets, which have no reset, the connection just ends.
   *
   * @example
   * ```ts
   * import { Memcached } from "memwire";
   * import { MemcachedServer } from "memwire/testing";
   *
   * await using server = await MemcachedServer.start();
   * await using cache = new Memcached(server.address);
   * await cache.set("hits", 1);
   * server.cut({ reset: true });
   * const error = await cache.increment("hits").catch((error) => error);
   * console.log(error.code, error.ambiguous); // CONNECTION_LOST true
   * ```
   */
  cut(cut?: { after?: number | undefined; reset?: boolean | undefined }): void {
    const given = readOptions<Cut>(cut, { after: undefined, reset: undefined });
    const { after = 0, reset = false } = given;
    this.#faults.orderCut({
      after: checkWhole(after, "after", 0),
      reset: checkBoolean(reset, "reset"),
    });
  }

  /**
   * With `true` closes all connections and refuses new ones, as if there were no server; nothing is forgotten.
   * With `false` listens again, on the same port.
   *
   * Rejects with the system's error if the port is taken by then.
   *
   * @example
   * ```ts
   * import { Memcached } from "memwire";
   * import { MemcachedServer } from "memwire/testing";
   *
   * await using server = await MemcachedServer.start();
   * await using cache = new Memcached(server.address);
   * await server.refuse(true);
   * console.log(await cache.get("a").catch((error) => error.code)); // SERVER_DOWN
   * await server.refuse(false);
   * ```
   */
  async refuse(on: boolean): Promise<void> {
    if (checkBoolean(on, "on")) return await this.#listener.close();
    if (!this.#listener.isOpen && this.#stopped === undefined) await this.#listener.open();
  }

  /**
   * Slows all connections down until the next call; `null` makes them fast again.
   *
   * @param slowness `latency`: by how many milliseconds each reply is delayed. `bytesPerSecond`: how much one
   * connection carries in each direction. A wrong value throws a `TypeError` or `RangeError`.
   *
   * @example
   * ```ts
   * import { Memcached } from "memwire";
   * import { MemcachedServer } from "memwire/testing";
   *
   * await using server = await MemcachedServer.start();
   * await using cache = new Memcached(server.address);
   * server.slow({ latency: 20 });
   * await cache.get("a"); // takes 20 ms, and so did connecting
   * server.slow(null);
   * ```
   */
  slow(
    slowness:
      | { latency?: number | undefined; bytesPerSecond?: number | undefined }
      | null,
  ): void {
    if (slowness === null) {
      this.#faults.slow = null;
      return;
    }
    checkObject(slowness, "slowness");
    const given: Slowness = readOptions<Slowness>(slowness, {
      latency: undefined,
      bytesPerSecond: undefined,
    });
    if (given.latency !== undefined) checkAmount(given.latency, "latency", 0);
    if (given.bytesPerSecond !== undefined) checkAmount(given.bytesPerSecond, "bytesPerSecond", 1);
    this.#faults.slow = given;
  }

  /**
   * Answers the next commands of this name with a line and does not carry them out. The value after a `set` is
   * read and thrown away, as memcached does when memory is short.
   *
   * @param command A classic name, which counts for the meta dialect too (memwire sends a `set` as `ms`), or the
   * name of a meta command in all its forms. Names are as in {@linkcode Call}.
   * @param line What the client gets, without the line's end: `SERVER_ERROR out of memory`, for example. A
   * client that has said `noreply` gets nothing.
   * @param options `times`: how many such commands fail. Default 1. 0 cancels an earlier call, and `Infinity`
   * fails all of them until a call with 0.
   *
   * Throws a `TypeError` or `RangeError` for an unknown command, more than one line, or a wrong number.
   *
   * @example
   * ```ts
   * import { Memcached } from "memwire";
   * import { MemcachedServer } from "memwire/testing";
   *
   * await using server = await MemcachedServer.start();
   * await using cache = new Memcached(server.address);
   * server.fail("set", "SERVER_ERROR out of memory storing object", { times: 2 });
   * console.log(await cache.set("a", 1).catch((error) => error.code)); // SERVER_ERROR
   * ```
   */
  fail(command: string, line: string, options?: { times?: number | undefined }): void {
    const { times = 1 } = readOptions<{ times?: number | undefined }>(options, {
      times: undefined,
    });
    if (!COMMAND_NAMES.includes(checkText(command, "command"))) {
      throw invalidType(`there is no command "${command}", only ${COMMAND_NAMES.join(", ")}`);
    }
    if (/[\r\n]/.test(checkText(line, "line"))) {
      throw invalidType("line must be a single line, without CR or LF");
    }
    if (times !== Infinity) checkWhole(times, "times", 0);
    this.#faults.orderFailure(command, Buffer.from(line).toString("latin1"), times);
  }

  /**
   * Drops an item, as if it had been evicted. Returns false if there was none.
   *
   * @example
   * ```ts
   * import { Memcached } from "memwire";
   * import { MemcachedServer } from "memwire/testing";
   *
   * await using server = await MemcachedServer.start();
   * await using cache = new Memcached(server.address);
   * await cache.set("a", 1);
   * console.log(server.forget("a"), await cache.get("a")); // true undefined
   * ```
   */
  forget(key: string): boolean {
    checkText(key, "key");
    const { store } = this.#state;
    const item = store.get(Buffer.from(key).toString("latin1"));
    if (item !== undefined) store.unlink(item);
    return item !== undefined;
  }

  /**
   * Lists a cluster to whoever asks by `config get cluster`, as each node and the configuration endpoint of
   * ElastiCache do; before it is called, and after `null`, the server answers as memcached does: ERROR.
   *
   * @param version Rises with each change.
   * @param nodes Names with ports from 1 to 65535, and the address behind each if it is not to be looked up.
   *
   * Throws a `TypeError` or `RangeError` for what cannot be written in such a list.
   *
   * @example
   * ```ts
   * import { Memcached } from "memwire";
   * import { elasticache } from "memwire/discovery";
   * import { MemcachedServer } from "memwire/testing";
   *
   * await using node = await MemcachedServer.start();
   * const port = Number(node.address.split(":")[1]);
   * node.setCluster(1, [{ host: "cache.0001.example", ip: "127.0.0.1", port }]);
   * await using cache = new Memcached(elasticache(node.address));
   * await cache.set("a", 1);
   * console.log(cache.serverFor("a").address.split(":")[0]); // cache.0001.example
   * ```
   */
  setCluster(
    version: number,
    nodes: readonly { host: string; ip?: string | undefined; port: number }[] | null,
  ): void {
    const written = nodes?.map((node) => {
      const { host, ip, port } = readOptions<ClusterNode>(node, {
        host: undefined,
        ip: undefined,
        port: undefined,
      }, "a node");
      for (const [name, value] of [["host", host], ["ip", ip ?? "-"]] as const) {
        if (/[|\s]/.test(checkText(value, name))) throw invalidType(`${name} must be one word`);
      }
      return `${host}|${ip ?? ""}|${checkWhole(port, "port", 1, 65_535)}`;
    });
    checkWhole(version, "version", 0);
    this.#state.cluster = written && `${version}\n${written.join(" ")}\n`;
  }

  /**
   * Does what a crash and a new start do: closes all connections and starts again on the same port, with no
   * items and all counters at 0. A stall and a refusal end. Other ordered faults stay, and so do a
   * listed cluster and the {@linkcode calls}.
   *
   * Rejects with the system's error if it was refusing connections and the port is taken by then.
   *
   * @example
   * ```ts
   * import { Memcached } from "memwire";
   * import { MemcachedServer } from "memwire/testing";
   *
   * await using server = await MemcachedServer.start();
   * await using cache = new Memcached(server.address);
   * await cache.set("a", 1);
   * await server.restart();
   * console.log(await cache.get("a")); // undefined
   * ```
   */
  async restart(): Promise<void> {
    const closed = this.#listener.closeConnections();
    const { cluster } = this.#state;
    this.#state = newState(
      this.#options.settings,
      this.#state.listening,
      this.#faults,
      this.#calls,
    );
    this.#state.cluster = cluster;
    this.stall(0);
    await closed;
    await this.refuse(false);
  }

  /**
   * Closes all connections and the listening socket, and resolves when they are closed. The items are gone.
   * Stopping again does nothing.
   *
   * @example
   * ```ts
   * import { MemcachedServer } from "memwire/testing";
   *
   * const server = await MemcachedServer.start();
   * await server.stop();
   * ```
   */
  stop(): Promise<void> {
    this.#endStall();
    this.#endIdleLooks();
    this.#stopped ??= this.#listener.close();
    return this.#stopped;
  }

  /**
   * Stops the server at the end of an `await using` block.
   *
   * @example
   * ```ts
   * import { MemcachedServer } from "memwire/testing";
   *
   * await using server = await MemcachedServer.start();
   * console.log(server.address);
   * ```
   */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #serve(socket: Socket): void {
    const { connections, counters: { totals }, limits } = this.#state;
    if (connections.size >= limits.connections) {
      totals.rejected_connections++;
      socket.end("ERROR Too many open connections\r\n", () => socket.destroy());
      return;
    }
    totals.total_connections++;
    new Link(socket, this.#state);
  }
}

function checkAmount(value: unknown, name: string, least: number): void {
  if (typeof value !== "number") {
    throw invalidType(`${name} must be a number, not ${kindOf(value)}`);
  }
  if (!(value >= least)) throw invalidRange(`${name} must be at least ${least}, not ${value}`);
}

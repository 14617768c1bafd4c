/** The embedded server's sockets; the only file here that knows the network. */
import { Buffer } from "node:buffer";
import { lstat, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { formatAddress } from "../address.ts";
import { readOptions } from "../checks/options.ts";
import { checkText, checkWhole } from "../checks/values.ts";
import { invalidType } from "../errors.ts";
import { type Clock, systemClock } from "./clock.ts";
import { Conversation } from "./conversation.ts";
import { type ListenInfo, newState, type ServerState } from "./state.ts";

/**
 * What {@linkcode MemcachedServer.start} takes.
 *
 * @example
 * ```ts
 * import { MemcachedServer, type MemcachedServerOptions } from "memwire/testing";
 *
 * const options: MemcachedServerOptions = { host: "::1", memoryLimit: 1024 * 1024 };
 * const server = await MemcachedServer.start(options);
 * console.log(server.address); // [::1]:41923, for example
 * await server.stop();
 * ```
 */
export interface MemcachedServerOptions {
  /** TCP port, 0 to 65535. Default 0: one that is free. */
  port?: number | undefined;
  /** Interface to listen on. Default `"127.0.0.1"`: nobody else's machine. */
  host?: string | undefined;
  /** Path of a unix socket, instead of `port` and `host`. */
  path?: string | undefined;
  /** Bytes of all items together; the least recently used make room. Default 64 MiB. */
  memoryLimit?: number | undefined;
  /** Bytes of one item, its key and some 60 bytes of overhead included, at least 1024. Default 1 MiB. */
  maxItemSize?: number | undefined;
  /** Connections that may be open at a time; one more is told so and closed. Default 1024. */
  maxConnections?: number | undefined;
  /** Where the time comes from. Default: the machine's clock. */
  clock?: Clock | undefined;
}

const MEGABYTE = 1024 * 1024;

/** Replies up to this many bytes leave in one piece. */
const JOIN_UP_TO = 64 * 1024;

/**
 * A memcached inside this process, for development and tests: the text protocol of memcached 1.6.18,
 * classic and meta. It is single-threaded, unauthenticated and forgets everything when it stops; for
 * anything that matters, run the real one.
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
  readonly #listener: Server;
  readonly #sockets: Set<Socket>;
  #stopped: Promise<void> | undefined;

  private constructor(address: string, listener: Server, sockets: Set<Socket>) {
    this.address = address;
    this.#listener = listener;
    this.#sockets = sockets;
  }

  /**
   * Starts a server and resolves when it listens; it keeps the process alive until it is stopped.
   *
   * Throws a `TypeError` or `RangeError` for a wrong option, and the system's error if it cannot listen.
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
    const given = readOptions<MemcachedServerOptions>(options, {
      port: undefined,
      host: undefined,
      path: undefined,
      memoryLimit: undefined,
      maxItemSize: undefined,
      maxConnections: undefined,
      clock: undefined,
    });
    const { host = "127.0.0.1", port = 0, path, clock = systemClock } = given;
    const { memoryLimit = 64 * MEGABYTE, maxItemSize = MEGABYTE, maxConnections = 1024 } = given;
    if (path !== undefined) {
      if (given.port !== undefined || given.host !== undefined) {
        throw invalidType("path cannot be combined with port and host");
      }
      checkText(path, "path");
    }
    checkText(host, "host");
    if (typeof clock?.now !== "function") throw invalidType("clock must have a now() method");
    checkWhole(port, "port", 0, 65_535);
    checkWhole(memoryLimit, "memoryLimit", 1024);
    checkWhole(maxItemSize, "maxItemSize", 1024, 1024 * MEGABYTE);
    checkWhole(maxConnections, "maxConnections", 1);

    const listening: ListenInfo = path === undefined
      ? { host, port, path }
      : { host: undefined, port: 0, path };
    const limits = { memory: memoryLimit, item: maxItemSize, connections: maxConnections };
    const state = newState(clock, limits, listening);
    const sockets = new Set<Socket>();
    const listener = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      serve(state, socket, sockets);
    });
    if (path !== undefined) await removeDeadSocket(path);
    await listen(listener, path === undefined ? { host, port } : { path });
    const bound = listener.address();
    if (path !== undefined || bound === null || typeof bound === "string") {
      return new MemcachedServer(`unix:${path}`, listener, sockets);
    }
    listening.port = bound.port;
    return new MemcachedServer(
      formatAddress({ kind: "tcp", host, port: bound.port }),
      listener,
      sockets,
    );
  }

  /**
   * Closes all connections and the listening socket, and resolves when they are closed. What was stored
   * is gone. Stopping again does nothing.
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
    this.#stopped ??= new Promise((resolve) => {
      this.#listener.close(() => resolve());
      for (const socket of this.#sockets) socket.destroy();
    });
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
}

function listen(
  listener: Server,
  where: { host: string; port: number } | { path: string },
): Promise<void> {
  return new Promise((resolve, reject) => {
    listener.once("error", reject);
    listener.listen(where, () => {
      listener.removeListener("error", reject);
      resolve();
    });
  });
}

/** Removes the socket of a server that did not come to stop; a live one, or a file, is left alone. */
async function removeDeadSocket(path: string): Promise<void> {
  const isSocket = await lstat(path).then((stats) => stats.isSocket(), () => false);
  if (!isSocket) return;
  const dead = await new Promise<boolean>((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => resolve(false));
    socket.once("error", (error: Error & { code?: string }) => {
      resolve(error.code === "ECONNREFUSED");
    });
    socket.end();
  });
  if (dead) await rm(path, { force: true });
}

function serve(state: ServerState, socket: Socket, sockets: Set<Socket>): void {
  const { connections, counters: { totals }, limits, listening: { path } } = state;
  sockets.add(socket);
  const close = (): void => {
    socket.end(() => socket.destroy());
  };
  socket.on("error", () => socket.destroy());
  if (connections.size >= limits.connections) {
    totals.rejected_connections++;
    socket.on("close", () => sockets.delete(socket));
    socket.write("ERROR Too many open connections\r\n");
    return close();
  }

  totals.total_connections++;
  const id = ++state.lastConnection;
  const conversation = new Conversation(state, {
    peer: path === undefined ? describe(socket.remoteAddress, socket.remotePort) : "?:<AF 0>",
    local: path === undefined ? describe(socket.localAddress, socket.localPort) : `unix:${path}`,
    write(pieces): boolean {
      if (socket.destroyed) return true;
      const ready = send(socket, pieces);
      // A client that does not read its replies is not read either.
      if (!ready) socket.pause();
      return ready;
    },
    end: close,
  });
  connections.set(id, conversation);
  socket.on("data", (chunk: Uint8Array) => conversation.receive(chunk));
  socket.on("drain", () => {
    socket.resume();
    conversation.resume();
  });
  socket.on("end", () => conversation.end());
  socket.on("close", () => {
    conversation.close();
    sockets.delete(socket);
    connections.delete(id);
  });
}

/** One end of a connection, as memcached writes it. */
function describe(host = "", port = 0): string {
  return host.includes(":") ? `tcp6:[${host}]:${port}` : `tcp:${host}:${port}`;
}

function send(socket: Socket, pieces: Uint8Array[]): boolean {
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (bytes <= JOIN_UP_TO) {
    return socket.write(pieces.length === 1 ? pieces[0] as Uint8Array : Buffer.concat(pieces));
  }
  let ready = true;
  socket.cork();
  for (const piece of pieces) ready = socket.write(piece);
  socket.uncork();
  return ready;
}

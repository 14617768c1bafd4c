/** The listening socket of the embedded server, and the connections that it has accepted. */
import { Buffer } from "node:buffer";
import { lstat, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { Faults } from "./faults.ts";
import type { Certificate, Place } from "./place.ts";

const SOCKET_OPTIONS = { allowHalfOpen: true, noDelay: true, highWaterMark: 16 * 1024 };

/** A listening socket that can be closed and opened again. It does not keep the process alive. */
export class Listener {
  /** Where it listens. Port 0 becomes the port that the system has chosen. */
  place: Place;
  readonly #tls: Certificate | undefined;
  readonly #faults: Faults;
  readonly #serve: (socket: Socket) => void;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  constructor(
    place: Place,
    tls: Certificate | undefined,
    faults: Faults,
    serve: (socket: Socket) => void,
  ) {
    this.place = place;
    this.#tls = tls;
    this.#faults = faults;
    this.#serve = serve;
  }

  /** Whether new connections are accepted. */
  get isOpen(): boolean {
    return this.#server !== undefined;
  }

  /** Begins to accept connections. Rejects with the system's error if it cannot. */
  async open(): Promise<void> {
    if ("path" in this.place) await removeDeadSocket(this.place.path);
    const server = this.#tls === undefined ? this.#plain() : this.#secure(this.#tls);
    this.#server = server;
    try {
      await listen(server, this.place);
    } catch (error) {
      this.#server = undefined;
      throw error;
    }
    server.unref();
    const bound = server.address();
    if (bound !== null && typeof bound === "object" && "host" in this.place) {
      this.place = { host: this.place.host, port: bound.port };
    }
  }

  /** Closes the listening socket and all connections; resolves when they are closed. */
  close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    const closed = new Promise<void>((resolve) => {
      if (server === undefined) resolve();
      else server.close(() => resolve());
    });
    return Promise.all([closed, this.closeConnections()]).then(() => {});
  }

  /** Closes all connections; resolves when they are closed. */
  async closeConnections(): Promise<void> {
    await Promise.all([...this.#sockets].map((socket) =>
      new Promise<void>((resolve) => {
        socket.once("close", () => resolve());
        socket.destroy();
      })
    ));
  }

  #plain(): Server {
    return createServer(SOCKET_OPTIONS, (socket) => {
      this.#keep(socket);
      this.#serve(socket);
    });
  }

  /** Makes a TLS server. While it is stalled it accepts connections, but begins no handshake. */
  #secure(certificate: Certificate): Server {
    const secure = createTlsServer({ ...SOCKET_OPTIONS, ...asBuffers(certificate) }, (socket) => {
      this.#keep(socket);
      this.#serve(socket);
    });
    // A client that does not speak TLS, or does not trust the certificate, is not the server's problem.
    secure.on("tlsClientError", () => {});
    return createServer({ ...SOCKET_OPTIONS, pauseOnConnect: true }, (socket) => {
      this.#keep(socket);
      this.#faults.whenFlowing(() => {
        if (socket.destroyed) return;
        secure.emit("connection", socket);
        socket.resume();
      });
    });
  }

  /** Remembers a socket as long as it is open. */
  #keep(socket: Socket): void {
    if (this.#sockets.has(socket)) return;
    this.#sockets.add(socket);
    socket.unref();
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#sockets.delete(socket));
  }
}

function asBuffers({ cert, key }: Certificate): { cert: string | Buffer; key: string | Buffer } {
  const convert = (pem: string | Uint8Array): string | Buffer => {
    return typeof pem === "string" ? pem : Buffer.from(pem);
  };
  return { cert: convert(cert), key: convert(key) };
}

function listen(server: Server, place: Place): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ ...place }, () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
}

/** Removes the socket that a killed server has left behind. A live socket or another file is left alone. */
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

/**
 * A TCP server that misbehaves as a script tells it to.
 *
 *     const server = await startScriptedServer(async (peer) => {
 *       const get = await peer.next();                     // a parsed command, data block included
 *       await peer.write(hit(get, "hello"), { chunk: 1 }); // byte by byte
 *       await peer.next();
 *       await peer.reset();                                // RST; peer.end() is FIN
 *     });
 *     t.after(() => server.stop());
 *
 * The script runs once for each connection (`peer.index` counts them from 0), after the handshake: `version` and
 * `mn` before any other command are answered as `dialect` says. If the client closes while the script waits in
 * `peer.next()`, the script ends without an error. Anything else that a script throws, such as a failed
 * assertion, is thrown again by `server.stop()`. replies.ts has replies in the dialect of the command.
 */
import { createServer, type Server, type Socket } from "node:net";
import { Buffer } from "node:buffer";
import { setTimeout as sleep } from "node:timers/promises";
import { reset } from "./reset.ts";

/** The options of a scripted server. */
export interface ScriptOptions {
  /**
   * How it answers `mn`. "meta": `MN`. "classic": `ERROR`. "closing": it closes the connection, as nutcracker
   * does. "none": it answers nothing, and the script gets `version` too. Default "meta".
   */
  readonly dialect?: "meta" | "classic" | "closing" | "none";
  /** The version that it reports. Default "1.6.18". */
  readonly version?: string;
  /** Bytes that it sends when it accepts a connection, before any command. */
  readonly greeting?: string | Uint8Array;
  /** The port. Default: a free one. */
  readonly port?: number;
}

/** The script that each connection runs. */
export type Script = (peer: Peer) => void | Promise<void>;

/** A command that the client sent. */
export interface Command {
  /** The command line, without its CRLF. */
  readonly line: string;
  readonly name: string;
  readonly args: readonly string[];
  /** The first key (in gat and gats, the one after the time). */
  readonly key: string;
  /** The data block of a storage command. */
  readonly data: Uint8Array | undefined;
  /** The opaque of a meta command, without its O. */
  readonly opaque: string | undefined;
}

/** What `peer.next()` throws if the client has gone. */
class PeerGone extends Error {}

/** Starts a server whose connections each run `script`. */
export async function startScriptedServer(
  script: Script,
  options: ScriptOptions = {},
): Promise<ScriptedServer> {
  const listener = createServer({ noDelay: true });
  const server = new ScriptedServer(listener, script, options);
  await new Promise<void>((resolve, reject) => {
    listener.once("error", reject);
    listener.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  return server;
}

/** Use startScriptedServer. */
export class ScriptedServer implements AsyncDisposable {
  /** All connections, past and present, in the order of their arrival. */
  readonly peers: Peer[] = [];
  readonly #listener: Server;
  readonly #errors: unknown[] = [];

  constructor(listener: Server, script: Script, options: ScriptOptions) {
    this.#listener = listener;
    listener.on("connection", (socket) => {
      const peer = new Peer(socket, this.peers.length, options);
      this.peers.push(peer);
      Promise.resolve(peer).then(script).catch((error) => {
        if (!(error instanceof PeerGone)) this.#errors.push(error);
      });
    });
  }

  get port(): number {
    return (this.#listener.address() as { port: number }).port;
  }

  /** "127.0.0.1:port". */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** How many connections were made in all. */
  get connections(): number {
    return this.peers.length;
  }

  /** How many connections are open now. */
  get open(): number {
    return this.peers.filter((peer) => !peer.gone).length;
  }

  /** Closes everything. Throws what a script has thrown. */
  async stop(): Promise<void> {
    if (this.#listener.listening) {
      const closed = new Promise((resolve) => this.#listener.close(resolve));
      for (const peer of this.peers) peer.destroy();
      await closed;
    }
    if (this.#errors.length > 0) throw this.#errors[0];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** The server's end of one connection. */
export class Peer {
  /** 0 for the first connection that the server accepted. */
  readonly index: number;
  /** Whether the connection is closed, so that no more commands will come. */
  gone = false;
  readonly #socket: Socket;
  readonly #options: ScriptOptions;
  readonly #received: Buffer[] = [];
  readonly #commands: Command[] = [];
  #unparsed: Buffer = Buffer.alloc(0);
  /** The chunks received after `#unparsed`. They are joined to it when there is enough for the next step. */
  #waiting: Buffer[] = [];
  #waitingLength = 0;
  #missing = 1;
  #greeted: boolean;
  #wake: () => void = () => {};

  /** Made by the server. */
  constructor(socket: Socket, index: number, options: ScriptOptions) {
    this.#socket = socket;
    this.index = index;
    this.#options = options;
    this.#greeted = options.dialect === "none";
    socket.on("data", (bytes) => this.#take(bytes as Buffer));
    socket.on("error", () => {}); // "close" follows
    socket.on("close", () => {
      this.gone = true;
      this.#wake();
    });
    if (options.greeting !== undefined) socket.write(options.greeting);
  }

  /** All bytes that were received, with those of the handshake. */
  get received(): Uint8Array {
    return Buffer.concat(this.#received);
  }

  /** Resolves to the next command. */
  async next(): Promise<Command> {
    for (;;) {
      const command = this.#commands.shift();
      if (command !== undefined) return command;
      if (this.gone) throw new PeerGone("the client has closed its connection");
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  /** Sends bytes, in pieces of `chunk` bytes `every` ms apart if given. Resolves when the kernel has them. */
  async write(
    bytes: string | Uint8Array,
    { chunk, every = 0 }: { chunk?: number; every?: number } = {},
  ): Promise<void> {
    const all = Buffer.from(bytes as Uint8Array);
    const size = chunk ?? Math.max(all.length, 1);
    for (let start = 0; start < all.length && !this.gone; start += size) {
      // Wait a turn of the event loop between pieces, so that each leaves in its own packet.
      if (start > 0) await sleep(every);
      await new Promise((resolve) =>
        this.#socket.write(all.subarray(start, start + size), resolve)
      );
    }
  }

  /** Closes the sending side (FIN), and goes on reading as memcached would. */
  end(): void {
    this.#socket.end();
  }

  /** Drops the connection with a RST, after what was written. */
  reset(): Promise<void> {
    return reset(this.#socket);
  }

  /** Stops reading, so that the client's bytes pile up first in the kernel, then in the client. */
  pause(): void {
    this.#socket.pause();
  }

  /** Goes on reading. */
  resume(): void {
    this.#socket.resume();
  }

  /** Closes the connection at once. */
  destroy(): void {
    this.#socket.destroy();
  }

  #take(bytes: Buffer): void {
    this.#received.push(bytes);
    this.#waiting.push(bytes);
    this.#waitingLength += bytes.length;
    if (this.#waitingLength < this.#missing) return;
    this.#unparsed = Buffer.concat([this.#unparsed, ...this.#waiting]);
    this.#waiting = [];
    this.#waitingLength = 0;
    this.#missing = 1;
    for (let command = this.#parse(); command !== undefined; command = this.#parse()) {
      if (this.#greeted || !this.#greet(command)) {
        this.#greeted = true;
        this.#commands.push(command);
      }
    }
    this.#wake();
  }

  #greet({ line }: Command): boolean {
    const { dialect = "meta", version = "1.6.18" } = this.#options;
    if (line === "version") this.#socket.write(`VERSION ${version}\r\n`);
    else if (line !== "mn") return false;
    else if (dialect === "closing") this.#socket.end();
    else this.#socket.write(dialect === "meta" ? "MN\r\n" : "ERROR\r\n");
    return true;
  }

  #parse(): Command | undefined {
    const end = this.#unparsed.indexOf("\r\n");
    if (end < 0) return undefined;
    const line = this.#unparsed.toString("latin1", 0, end);
    const [name = "", ...args] = line.split(" ");
    let next = end + 2;
    let data: Uint8Array | undefined;
    const length = dataLength(name, args);
    if (length !== undefined) {
      this.#missing = next + length + 2 - this.#unparsed.length;
      if (this.#missing > 0) return undefined;
      this.#missing = 1;
      data = new Uint8Array(this.#unparsed.subarray(next, next + length)); // a copy: `from` is slow in Bun
      next += length + 2;
    }
    this.#unparsed = this.#unparsed.subarray(next);
    const key = args[name === "gat" || name === "gats" ? 1 : 0] ?? "";
    const opaque = /^m[a-z]$/.test(name)
      ? args.slice(1).find((flag) => flag.startsWith("O"))?.slice(1)
      : undefined;
    return { line, name, args, key, data, opaque };
  }
}

function dataLength(name: string, args: readonly string[]): number | undefined {
  if (name === "ms") return Number(args[1]);
  const storage = ["set", "add", "replace", "append", "prepend", "cas"];
  return storage.includes(name) ? Number(args[3]) : undefined;
}

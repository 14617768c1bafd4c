/** Plays bytes to servers, and asks them about themselves. */
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import {
  ManualClock,
  MemcachedServer,
  type MemcachedServerOptions,
} from "../../src/testing/mod.ts";
import { chunksOf, type Line } from "./cases/case.ts";

/** A pause after which a server that is not held up has read what was sent before. */
const BETWEEN_CHUNKS = 15;

/** Opens a connection to "host:port", "[v6]:port" or "unix:/path". */
export async function dial(address: string): Promise<Socket> {
  const [, path, host, port] = /^(?:unix:(.*)|\[?(.*?)\]?:(\d+))$/.exec(address) ?? [];
  const socket = path === undefined ? connect(Number(port), host) : connect(path);
  socket.setNoDelay(true);
  await once(socket, "connect");
  return socket;
}

/**
 * Sends bytes over a new connection, closes it for writing and resolves to everything that came back, one
 * character per byte. A reset ends the reply as a close does. `control` is a connection to the same server, if
 * that has one thread: it has read each chunk by itself once it has answered there.
 */
export async function play(address: string, line: Line, control?: Control): Promise<string> {
  const chunks = chunksOf(line);
  const before = chunks.length > 1 ? await control?.connections() : undefined;
  const socket = await dial(address);
  // memcached's thread for connections hands each to the thread that reads.
  while (before !== undefined && await control?.connections() === before);
  const received: Uint8Array[] = [];
  const closed = new Promise<void>((resolve) => {
    socket.on("data", (bytes: Uint8Array) => received.push(bytes));
    socket.on("error", () => resolve()).on("close", () => resolve());
  });
  for (const [index, chunk] of chunks.entries()) {
    if (index > 0) {
      await sleep(BETWEEN_CHUNKS);
      await control?.ask("version");
    }
    if (!socket.destroyed) socket.write(Buffer.from(chunk, "latin1"));
  }
  if (!socket.destroyed) socket.end();
  await closed;
  socket.destroy();
  return Buffer.concat(received).toString("latin1");
}

/** A connection that stays open, for questions whose answer ends in a known way. */
export class Control {
  readonly #socket: Socket;
  #text = "";
  #heard: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (bytes: Uint8Array) => {
      this.#text += Buffer.from(bytes).toString("latin1");
      this.#heard();
    });
  }

  static async open(
    address: string,
    auth?: { readonly username: string; readonly password: string },
  ): Promise<Control> {
    const control = new Control(await dial(address));
    const words = auth && `${auth.username} ${auth.password}`;
    if (words) await control.ask(`set auth 0 0 ${words.length}\r\n${words}`);
    return control;
  }

  /** Sends a line and resolves to the answer, up to a line that can be the last one. */
  async ask(line: string): Promise<string> {
    this.#text = "";
    this.#socket.write(`${line}\r\n`);
    while (!/^(?:END|OK|RESET|STORED|VERSION.*|CLIENT_ERROR.*)\r\n$/m.test(this.#text)) {
      await new Promise<void>((resolve) => this.#heard = resolve);
    }
    return this.#text;
  }

  /** Fields of `stats`. */
  async stats(topic = ""): Promise<Map<string, string>> {
    const text = await this.ask(`stats ${topic}`.trim());
    return new Map([...text.matchAll(/^STAT (\S+) (.*)\r$/gm)].map(([, name, value]) => {
      return [name as string, value as string];
    }));
  }

  /** How many connections the server has read from so far. */
  async connections(): Promise<number> {
    return Number((await this.stats()).get("total_connections"));
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** An embedded server whose clock the test moves. */
export interface Embedded {
  readonly server: MemcachedServer;
  readonly clock: ManualClock;
  readonly control: Control;
  stop(): Promise<void>;
}

/** Starts a server that takes `startedAt`, in seconds since 1970, for the time of its start. */
export async function startEmbedded(
  startedAt?: number,
  options: MemcachedServerOptions = {},
): Promise<Embedded> {
  const clock = new ManualClock(startedAt);
  const server = await MemcachedServer.start({ ...options, clock });
  const control = await Control.open(server.address, options.auth);
  const stop = (): Promise<void> => {
    control.close();
    return server.stop();
  };
  return { server, clock, control, stop };
}

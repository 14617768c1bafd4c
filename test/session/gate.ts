/**
 * A proxy in front of a real memcached that sees each command before the server does. Tests use it to find out
 * what was sent, to do something just before a command, and to lose a command or its reply.
 *
 *     const gate = await startGate(address);
 *     t.after(() => gate.stop());
 *     gate.lines;                                          // all commands so far, without their data
 *     gate.before(/^(ms|cas) /, () => other.delete(id));   // once, before the next such command goes on
 *     gate.lose("request", /^(ms|add) /);                  // the next such command never arrives
 *     gate.lose("reply", /^(ms|add) /);                    // it arrives; its reply does not
 *     await gate.shut();                                   // connections are refused ...
 *     await gate.reopen();                                 // ... until now
 *
 * When something is lost, its connection is reset too (RST). The handshake (`version`, `mn`) is not recorded.
 */
import { Buffer } from "node:buffer";
import { connect, createServer, type Server, type Socket } from "node:net";
import { reset } from "../support/reset.ts";

/** Starts a gate before the server at "host:port". */
export async function startGate(address: string): Promise<Gate> {
  const gate = new Gate(address);
  await gate.reopen();
  return gate;
}

interface Rule {
  readonly pattern: RegExp;
  readonly what: "request" | "reply" | (() => unknown);
}

/** Use startGate. */
export class Gate implements AsyncDisposable {
  /** The command lines that came, whether or not they were lost. */
  readonly lines: string[] = [];
  readonly #address: string;
  readonly #sockets = new Set<Socket>();
  readonly #received: Buffer[] = [];
  #rules: Rule[] = [];
  #always: (() => unknown) | undefined;
  #listener: Server | undefined;
  #port = 0;

  constructor(address: string) {
    this.#address = address;
  }

  /** "127.0.0.1:port", for the client. */
  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** All bytes that clients have sent, the handshakes' too. */
  get received(): Buffer {
    return Buffer.concat(this.#received);
  }

  /** Whether all that was armed has happened. */
  get done(): boolean {
    return this.#rules.length === 0;
  }

  /** Runs `act` before the next matching command is passed on. */
  before(pattern: RegExp, act: () => unknown): void {
    this.#rules.push({ pattern, what: act });
  }

  /** Loses the next command that matches, or the reply to it, and resets the connection. */
  lose(what: "request" | "reply", pattern: RegExp): void {
    this.#rules.push({ pattern, what });
  }

  /** Forgets what was armed. */
  stopBefore(): void {
    this.#rules = [];
  }

  /** Runs `act` before every command from now on; undefined ends that. */
  always(act: (() => unknown) | undefined): void {
    this.#always = act;
  }

  /** Forgets what was recorded. */
  clear(): void {
    this.lines.length = 0;
    this.#received.length = 0;
  }

  /** Breaks all connections and refuses new ones. */
  async shut(): Promise<void> {
    const listener = this.#listener;
    this.#listener = undefined;
    if (listener === undefined) return;
    const closed = new Promise((resolve) => listener.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Accepts connections, on the same port as before. */
  async reopen(): Promise<void> {
    const listener = createServer({ noDelay: true }, (client) => this.#accept(client));
    await new Promise<void>((resolve, reject) => {
      listener.once("error", reject);
      listener.listen(this.#port, "127.0.0.1", resolve);
    });
    this.#listener = listener;
    this.#port = (listener.address() as { port: number }).port;
  }

  stop(): Promise<void> {
    return this.shut();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #accept(client: Socket): void {
    const at = this.#address.lastIndexOf(":");
    const host = this.#address.slice(0, at).replace(/^\[|\]$/g, "");
    const server = connect({ host, port: Number(this.#address.slice(at + 1)), noDelay: true });
    const commands = new CommandSplitter();
    let swallow = false;
    let last: Promise<void> = Promise.resolve();
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on("error", () => {}); // "close" follows
      socket.on("close", () => {
        this.#sockets.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    client.on("data", (bytes) => {
      this.#received.push(Buffer.from(bytes as Buffer));
      for (const command of commands.split(bytes as Buffer)) {
        last = last.then(async () => {
          const lost = await this.#lost(command.line);
          if (lost === "request") return await reset(client);
          swallow ||= lost === "reply";
          if (!server.destroyed) server.write(command.bytes);
        });
      }
    });
    server.on("data", (bytes) => swallow ? void reset(client) : client.write(bytes as Buffer));
  }

  async #lost(line: string): Promise<"request" | "reply" | undefined> {
    if (line === "version" || line === "mn") return undefined;
    this.lines.push(line);
    const rule = this.#rules.find(({ pattern }) => pattern.test(line));
    await this.#always?.();
    if (rule === undefined) return undefined;
    this.#rules = this.#rules.filter((other) => other !== rule);
    if (typeof rule.what !== "function") return rule.what;
    await rule.what();
    return undefined;
  }
}

/** Cuts a stream of bytes into commands, data blocks included. */
class CommandSplitter {
  #rest: Buffer = Buffer.alloc(0);

  *split(bytes: Buffer): Iterable<{ line: string; bytes: Buffer }> {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    for (;;) {
      const end = this.#rest.indexOf("\r\n");
      if (end < 0) return;
      const line = this.#rest.toString("latin1", 0, end);
      const [name = "", ...args] = line.split(" ");
      const size = name === "ms"
        ? args[1]
        : /^(set|add|cas|replace)$/.test(name)
        ? args[3]
        : undefined;
      const total = end + 2 + (size === undefined ? 0 : Number(size) + 2);
      if (this.#rest.length < total) return;
      const whole = this.#rest.subarray(0, total);
      this.#rest = this.#rest.subarray(total);
      yield { line, bytes: whole };
    }
  }
}

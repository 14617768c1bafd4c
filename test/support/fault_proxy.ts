/**
 * A proxy between a client and a real memcached that spoils replies on demand.
 *
 *     const proxy = await startProxy(server);               // server: from startMemcached
 *     const client = new Memcached(proxy.address);
 *     await client.set("a", "hello");                       // untouched
 *     proxy.spoil({ at: 5, by: "reset" });                  // the next reply: 5 bytes, then a RST
 *     await assert.rejects(client.get("a"));
 *
 * A fault counts the bytes that come from the server after the call, on the first connection that has some, and
 * strikes once. Requests always pass unchanged.
 */
import { Buffer } from "node:buffer";
import { connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { reset } from "./reset.ts";

/** What goes wrong, and where. */
export interface Fault {
  /** How many bytes from the server pass before the fault. 0: not even the first. */
  readonly at: number;
  /**
   * "end": FIN to the client. "reset": RST. "stall": nothing more until `proxy.release()`. `delay`: a pause
   * of this many ms. `split`: the rest of a chunk leaves in pieces of this many bytes. `replace`: these bytes
   * replace as many of the server's. `insert`: these bytes are added. `drop`: this many bytes are left out.
   */
  readonly by:
    | "end"
    | "reset"
    | "stall"
    | { readonly delay: number }
    | { readonly split: number }
    | { readonly replace: string | Uint8Array }
    | { readonly insert: string | Uint8Array }
    | { readonly drop: number };
}

/** Starts a proxy before the server. */
export async function startProxy(target: { host: string; port: number }): Promise<FaultProxy> {
  const listener = createServer({ noDelay: true });
  const proxy = new FaultProxy(listener, target);
  await new Promise<void>((resolve, reject) => {
    listener.once("error", reject);
    listener.listen(0, "127.0.0.1", resolve);
  });
  return proxy;
}

/** Use startProxy. */
export class FaultProxy implements AsyncDisposable {
  /** How many connections clients have made. */
  connections = 0;
  readonly #listener: Server;
  readonly #clients = new Set<Socket>();
  #fault: Fault | undefined;
  #passed = 0;
  #stalled: Promise<void> | undefined;
  #release: () => void = () => {};

  constructor(listener: Server, target: { host: string; port: number }) {
    this.#listener = listener;
    listener.on("connection", (client) => {
      this.connections++;
      const server = connect({ host: target.host, port: target.port, noDelay: true });
      this.#clients.add(client);
      client.on("error", () => {}); // "close" follows
      server.on("error", () => {});
      client.on("data", (bytes) => server.write(bytes));
      client.on("close", () => {
        this.#clients.delete(client);
        server.destroy();
      });
      let last = Promise.resolve();
      server.on("data", (bytes) => last = last.then(() => this.#reply(client, bytes as Buffer)));
      server.on("close", () => last.then(() => client.end()));
    });
  }

  /** "127.0.0.1:port", for the client. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get port(): number {
    return (this.#listener.address() as { port: number }).port;
  }

  /** Arms a fault. It replaces one that has not struck yet. */
  spoil(fault: Fault): void {
    this.#fault = fault;
    this.#passed = 0;
  }

  /** Whether the armed fault has struck, or none was armed. */
  get struck(): boolean {
    return this.#fault === undefined;
  }

  /** Lets a stalled connection flow again, with what was held back. */
  release(): void {
    this.#release();
    this.#stalled = undefined;
  }

  /** Ends all connections with a FIN, before it returns. New ones are accepted. */
  endAll(): void {
    for (const client of this.#clients) client.destroy();
  }

  /** Breaks all connections with a RST. New ones are accepted. */
  async breakAll(): Promise<void> {
    await Promise.all([...this.#clients].map(reset));
  }

  async stop(): Promise<void> {
    if (!this.#listener.listening) return;
    const closed = new Promise((resolve) => this.#listener.close(resolve));
    this.release();
    for (const client of this.#clients) client.destroy();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #reply(client: Socket, bytes: Buffer): Promise<void> {
    await this.#stalled;
    const fault = this.#fault;
    if (fault === undefined || this.#passed + bytes.length < fault.at + 1) {
      this.#passed += bytes.length;
      return write(client, bytes);
    }
    const head = bytes.subarray(0, fault.at - this.#passed);
    const rest = bytes.subarray(head.length);
    this.#fault = undefined;
    await write(client, head);
    await this.#strike(fault.by, client, rest);
  }

  async #strike(by: Fault["by"], client: Socket, rest: Buffer): Promise<void> {
    if (by === "end") client.end();
    else if (by === "reset") await reset(client);
    else if (by === "stall") {
      this.#stalled = new Promise((resolve) => this.#release = resolve);
      await this.#stalled;
      await write(client, rest);
    } else if ("delay" in by) {
      await sleep(by.delay);
      await write(client, rest);
    } else if ("split" in by) {
      for (let start = 0; start < rest.length; start += by.split) {
        if (start > 0) await sleep(0);
        if (client.destroyed) return;
        await write(client, rest.subarray(start, start + by.split));
      }
    } else if ("replace" in by) {
      const garbage = Buffer.from(by.replace as Uint8Array);
      await write(client, Buffer.concat([garbage, rest.subarray(garbage.length)]));
    } else if ("insert" in by) {
      await write(client, Buffer.concat([Buffer.from(by.insert as Uint8Array), rest]));
    } else {
      await write(client, rest.subarray(by.drop));
    }
  }
}

function write(socket: Socket, bytes: Uint8Array): Promise<void> {
  if (bytes.length === 0 || socket.destroyed || socket.writableEnded) return Promise.resolve();
  return new Promise((resolve) => socket.write(bytes, () => resolve()));
}

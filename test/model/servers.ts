/** memcached servers behind proxies that cut, lose, stall and restart at random, by a seed. */
import { connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type MemcachedServer, startMany } from "../support/memcached.ts";
import { resetNow } from "../support/reset.ts";
import type { Random } from "../v8/random.ts";

/** A server and the proxy in front of it. */
export class FaultyServer {
  readonly #memcached: MemcachedServer;
  readonly #sockets = new Set<Socket>();
  readonly #held: (() => void)[] = [];
  #listener: Server | undefined;
  #port = 0;
  #stalled = false;
  #losesReply = false;
  /** How often the server has lost everything. */
  restarts = 0;

  constructor(memcached: MemcachedServer) {
    this.#memcached = memcached;
  }

  /** "127.0.0.1:port", for clients. */
  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  async listen(): Promise<void> {
    this.#listener = createServer({ noDelay: true }, (client) => this.#accept(client));
    await new Promise<void>((resolve) => this.#listener?.listen(0, "127.0.0.1", resolve));
    this.#port = (this.#listener.address() as { port: number }).port;
  }

  /** Breaks all connections. */
  cut(): void {
    for (const socket of this.#sockets) resetNow(socket);
  }

  /** Loses the next reply, and all connections with it. */
  loseReply(): void {
    this.#losesReply = true;
  }

  /** Holds everything back for so many ms, then lets it pass. */
  async stall(ms: number): Promise<void> {
    this.#stalled = true;
    await sleep(ms);
    this.#stalled = false;
    for (const pass of this.#held.splice(0)) pass();
  }

  async restart(): Promise<void> {
    this.restarts++;
    this.cut();
    await this.#memcached.restart();
    this.restarts++; // again: what was written in between is lost too
  }

  async stop(): Promise<void> {
    this.#listener?.close();
    this.cut();
    await this.#memcached.stop();
  }

  #accept(client: Socket): void {
    const { host, port } = this.#memcached;
    const server = connect({ host, port, noDelay: true });
    for (const [from, to] of [[client, server], [server, client]] as const) {
      this.#sockets.add(from);
      from.on("error", () => {}); // "close" follows
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.on("data", (bytes) => {
        if (from === server && this.#losesReply) {
          this.#losesReply = false;
          return this.cut();
        }
        const pass = (): void => void (to.destroyed || to.write(bytes as Uint8Array));
        if (this.#stalled) this.#held.push(pass);
        else pass();
      });
    }
  }
}

/** Starts servers. */
export async function startFaulty(count: number): Promise<FaultyServer[]> {
  const servers = (await startMany(count)).map((memcached) => new FaultyServer(memcached));
  for (const server of servers) await server.listen();
  return servers;
}

/** Makes faults happen until it is aborted. Resolves to how many of each kind there were. */
export async function makeTrouble(
  servers: readonly FaultyServer[],
  random: Random,
  signal: AbortSignal,
): Promise<Record<string, number>> {
  const counts = { cuts: 0, lost: 0, stalls: 0, restarts: 0 };
  while (!signal.aborted) {
    await sleep(5 + random.below(20));
    const server = random.of(servers);
    const kind = random.below(40);
    if (kind < 12) {
      server.cut();
      counts.cuts++;
    } else if (kind < 28) {
      server.loseReply();
      counts.lost++;
    } else if (kind < 39) {
      await server.stall(random.of([20, 60, 250]));
      counts.stalls++;
    } else {
      await server.restart();
      counts.restarts++;
    }
  }
  return counts;
}

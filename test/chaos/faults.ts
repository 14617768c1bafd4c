/** Makes faults: by a proxy in front of each server, and by signals to its process. */
import type { Buffer } from "node:buffer";
import { connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { MemcachedServer } from "../support/memcached.ts";
import { reset } from "../support/reset.ts";

/** Makes random numbers from a seed, so that a run can be repeated (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Passes bytes on in both directions, and causes the faults that it is told to. */
export class ChaosProxy {
  readonly #listener: Server;
  readonly #random: () => number;
  readonly #pairs = new Set<{ client: Socket; budget: number }>();
  /** How long each piece of a reply waits, in ms. */
  latency = 0;
  /** While this is set, nothing is passed on. */
  #held: Promise<void> | undefined;

  private constructor(listener: Server, random: () => number) {
    this.#listener = listener;
    this.#random = random;
  }

  static async start(
    target: { host: string; port: number },
    random: () => number,
  ): Promise<ChaosProxy> {
    const listener = createServer({ noDelay: true });
    const proxy = new ChaosProxy(listener, random);
    listener.on("connection", (client) => proxy.#accept(client, target));
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  /** "127.0.0.1:port". */
  get address(): string {
    return `127.0.0.1:${(this.#listener.address() as { port: number }).port}`;
  }

  /** Resets every connection at a random byte of the next `most` ones. */
  resetWithin(bytes: number): void {
    for (const pair of this.#pairs) pair.budget = Math.floor(this.#random() * bytes);
  }

  /** Passes nothing on for so many ms, in either direction. */
  async hold(ms: number): Promise<void> {
    this.#held = sleep(ms);
    await this.#held;
    this.#held = undefined;
  }

  stop(): void {
    this.#listener.close();
    for (const { client } of this.#pairs) client.destroy();
  }

  #accept(client: Socket, target: { host: string; port: number }): void {
    const server = connect({ ...target, noDelay: true });
    const pair = { client, budget: Infinity };
    this.#pairs.add(pair);
    const over = (): void => {
      this.#pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) socket.on("error", () => {}).on("close", over);
    const pass = (from: Socket, to: Socket): void => {
      let last = Promise.resolve();
      from.on("data", (bytes: Buffer) => {
        last = last.then(async () => {
          await this.#held;
          if (this.latency > 0) await sleep(this.latency);
          if (to.destroyed) return;
          const passing = bytes.subarray(0, pair.budget);
          pair.budget -= passing.length;
          to.write(passing);
          if (passing.length < bytes.length) await reset(client);
        });
      });
    };
    pass(client, server);
    pass(server, client);
  }
}

/** Makes one fault after the other until `end`. Only the last server is ever killed, because that loses its items. */
export async function wreak(
  servers: readonly MemcachedServer[],
  proxies: readonly ChaosProxy[],
  random: () => number,
  end: number,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  const below = (most: number): number => Math.floor(random() * most);
  while (performance.now() < end) {
    const index = below(servers.length);
    const server = servers[index] as MemcachedServer;
    const proxy = proxies[index] as ChaosProxy;
    const faults: Record<string, () => Promise<void>> = {
      reset: async () => {
        proxy.resetWithin(1 + below(20_000));
        await sleep(below(200));
      },
      SIGSTOP: async () => {
        server.signal("SIGSTOP");
        await sleep(below(2_000));
        server.signal("SIGCONT");
      },
      hold: () => proxy.hold(below(1_200)),
      latency: async () => {
        proxy.latency = below(60);
        await sleep(below(800));
        proxy.latency = 0;
      },
      ...(index === servers.length - 1
        ? {
          SIGKILL: async () => {
            await server.kill();
            await sleep(below(1_500));
            await server.restart();
          },
        }
        : {}),
    };
    const names = Object.keys(faults);
    const name = names[below(names.length)] as string;
    counts[name] = (counts[name] ?? 0) + 1;
    await (faults[name] as () => Promise<void>)();
    await sleep(below(400));
  }
  return counts;
}

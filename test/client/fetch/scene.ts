/** A server, real or embedded, where memwire's clients share keys with clients that send meta lines. */
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Memcached, type MemcachedOptions } from "../../../mod.ts";
import { ManualClock, MemcachedServer } from "../../../src/testing/mod.ts";
import { startMemcached } from "../../support/memcached.ts";

export interface Scene extends AsyncDisposable {
  readonly address: string;
  /** Moves the server's time: at once on the embedded server, otherwise by waiting. */
  pass(seconds: number): Promise<void>;
  /** Another client: sends its bytes, and resolves to the reply. */
  other(command: string): Promise<string>;
  client(options?: MemcachedOptions): Memcached;
}

export const SERVERS = ["memcached", "the embedded server"] as const;

/** Starts a server of that kind. */
export async function openScene(kind: (typeof SERVERS)[number]): Promise<Scene> {
  const clock = new ManualClock();
  const embedded = kind === "the embedded server";
  const server = embedded ? await MemcachedServer.start({ clock }) : await startMemcached();
  const clients: Memcached[] = [];
  return {
    address: server.address,
    async pass(seconds): Promise<void> {
      if (embedded) clock.advance(seconds);
      else await sleep(seconds * 1000);
    },
    other: (command) => ask(server.address, command),
    client(options = {}): Memcached {
      const client = new Memcached(server.address, {
        timeout: 10_000,
        connectTimeout: 10_000,
        protocol: "meta",
        ...options,
      });
      clients.push(client);
      return client;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      for (const client of clients) await client.close();
      await server.stop();
    },
  };
}

async function ask(address: string, command: string): Promise<string> {
  const [host = "", port = ""] = address.split(":");
  const socket = connect(Number(port), host);
  return await new Promise<string>((resolve, reject) => {
    let text = "";
    socket.setEncoding("latin1").on("data", (part: string) => {
      text += part;
      if (text.endsWith("MN\r\n")) resolve(text.slice(0, -"MN\r\n".length).trimEnd());
    }).once("error", reject);
    socket.write(`${command}\r\nmn\r\n`);
  }).finally(() => socket.destroy());
}

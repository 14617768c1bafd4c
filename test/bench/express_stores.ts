/** Stores of express-session that are compared: memwire's, connect-redis 7.1.1 on ioredis, the newest on redis. */
import { createRequire } from "node:module";
import { Memcached } from "../../mod.ts";
import { createMemwireStore } from "../../src/adapters/express.ts";

const require = createRequire(new URL("./peers/package.json", import.meta.url));

/** What is called of a store; the classes themselves have no common type. */
export interface Store {
  get(id: string, done: (error: unknown, session?: object | null) => void): void;
  set(id: string, session: object, done: (error?: unknown) => void): void;
  touch(id: string, session: object, done: (error?: unknown) => void): void;
  createSession(request: object, data: object): object;
}

/** A store that is open. */
export interface OpenStore {
  readonly store: Store;
  close(): unknown;
}

/** express-session, from the peers. */
export const session: { Store: new () => object } & ((options: object) => unknown) = require(
  "express-session",
);

const MemwireStore = createMemwireStore(session);

/** How each is opened, by the server's "host:port". */
export const STORES: Readonly<
  Record<string, (memcached: string, redis: string) => Promise<OpenStore>>
> = {
  memwire: (memcached) => {
    const client = new Memcached(memcached);
    const store = new MemwireStore({ client }) as unknown as Store;
    return Promise.resolve({ store, close: () => client.close() });
  },
  "connect-redis 7.1.1, ioredis": (_, redis) => {
    const { Redis } = require("ioredis");
    const RedisStore = require("connect-redis").default;
    const [host, port] = redis.split(":");
    const client = new Redis({ host, port: Number(port) });
    return Promise.resolve({
      store: new RedisStore({ client }) as Store,
      close: () => client.disconnect(),
    });
  },
  "connect-redis newest, redis": async (_, redis) => {
    const { createClient } = require("redis-newest");
    const { RedisStore } = require("connect-redis-newest");
    const client = createClient({ url: `redis://${redis}` });
    await client.connect();
    return { store: new RedisStore({ client }) as Store, close: () => client.destroy() };
  },
};

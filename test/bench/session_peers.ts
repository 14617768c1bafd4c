/** Session stores of express-session: load, change, save. */
import { createRequire } from "node:module";
import process from "node:process";
import { closedLoop, type Contender } from "./contender.ts";
import { sessionFields } from "./memwire.ts";

const require = createRequire(process.env["MEMWIRE_PEERS"] as string);

type Done = (error: unknown, value?: unknown) => void;

interface Store {
  get(id: string, done: Done): void;
  set(id: string, session: unknown, done: Done): void;
}

function contender(
  open: (
    server: string,
    redis: string | undefined,
  ) => { store: Store; close(): void } | undefined,
): Contender {
  return async (workload, place) => {
    if (workload.kind !== "session") return undefined;
    const opened = open(place.memcached[0] as string, place.redis);
    if (opened === undefined) return undefined;
    const { store, close } = opened;
    const get = (id: string): Promise<Record<string, unknown>> =>
      new Promise((resolve, reject) => {
        store.get(
          id,
          (error, value) => error ? reject(error) : resolve(value as never),
        );
      });
    const set = (id: string, session: unknown): Promise<void> =>
      new Promise((resolve, reject) => {
        store.set(id, session, (error) => error ? reject(error) : resolve());
      });
    const ids = Array.from(
      { length: 1000 },
      (_, i) => `bench${String(i).padStart(27, "0")}`,
    );
    const cookie = {
      originalMaxAge: 10_800_000,
      maxAge: 10_800_000,
      httpOnly: true,
      path: "/",
    };
    for (const [i, id] of ids.entries()) {
      await set(id, { cookie, ...sessionFields(i) });
    }
    const cycle = async (i: number): Promise<void> => {
      const id = ids[i % ids.length] as string;
      const session = await get(id);
      session.visits = i;
      await set(id, session);
    };
    return closedLoop(workload.inFlight, cycle, close);
  };
}

/** connect-redis on ioredis. */
export const connectRedis: Contender = contender((_server, redis) => {
  if (redis === undefined) return undefined;
  const { Redis } = require("ioredis");
  const RedisStore = require("connect-redis").default;
  const [host, port] = redis.split(":");
  const client = new Redis({ host, port: Number(port) });
  return {
    store: new RedisStore({ client }),
    close: () => client.disconnect(),
  };
});

/** connect-memcached. */
export const connectMemcached: Contender = contender((server) => {
  const MemcachedStore = require("connect-memcached")(
    require("express-session"),
  );
  const store = new MemcachedStore({ hosts: [server] });
  return { store, close: () => store.client.end() };
});

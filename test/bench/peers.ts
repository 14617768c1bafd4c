/** The other clients, each used as its own documentation shows. Their packages have no usable types. */
import { createRequire } from "node:module";
import process from "node:process";
import { besideLoop, closedLoop, type Contender } from "./contender.ts";
import { keysOf, LARGE_BYTES, largeKeysOf, manyKeysOf } from "./workloads.ts";

const require = createRequire(process.env["MEMWIRE_PEERS"] as string);

type Reply = (error: unknown, value?: unknown) => void;
type Call = (done: Reply) => void;

function promised(call: Call): Promise<unknown> {
  return new Promise((resolve, reject) => {
    call((error, value) => error ? reject(error) : resolve(value));
  });
}

/** The operations of a peer, as promises. */
interface Peer {
  readonly get: (key: string) => Promise<unknown>;
  readonly set: (key: string, value: string | Uint8Array) => Promise<unknown>;
  readonly getMany?: (keys: string[]) => Promise<unknown>;
  readonly close: () => void;
  /** Keeps bytes as bytes. */
  readonly binary: boolean;
}

/** The operations of a client of keys and values. */
const OF_PEERS: ReadonlySet<string> = new Set(["get", "set", "getMany", "beside"]);

function contender(
  open: (server: string, redis: string | undefined) => Peer | undefined,
): Contender {
  return async (workload, place) => {
    const { kind, value, inFlight, servers, dialect } = workload;
    if (!OF_PEERS.has(kind) || (servers ?? 1) > 1 || dialect === "classic") {
      return undefined;
    }
    const peer = open(place.memcached[0] as string, place.redis);
    if (peer === undefined || (value === "bytes" && !peer.binary)) {
      return undefined;
    }
    const text = "x".repeat(workload.size);
    const stored = value === "text" ? text : new TextEncoder().encode(text);
    const keys = keysOf(workload);
    const key = (i: number): string => keys[i % keys.length] as string;
    for (const one of keys) await peer.set(one, stored);
    if (kind === "beside") {
      if (!peer.binary) return undefined;
      const large = largeKeysOf(workload);
      const bytes = new TextEncoder().encode("x".repeat(LARGE_BYTES));
      for (const one of large) await peer.set(one, bytes);
      const get = (i: number): Promise<unknown> => peer.get(large[i % large.length]!);
      return besideLoop(inFlight, (i) => peer.get(key(i)), get, peer.close);
    }
    if (kind === "set") {
      return closedLoop(inFlight, (i) => peer.set(key(i), stored), peer.close);
    }
    if (kind === "get") {
      return closedLoop(inFlight, (i) => peer.get(key(i)), peer.close);
    }
    const { getMany } = peer;
    if (getMany === undefined) return undefined;
    return closedLoop(inFlight, () => getMany(manyKeysOf(workload)), peer.close);
  };
}

/** jaredwray's memcache. */
export const memcache: Contender = contender((server) => {
  const { Memcache } = require("memcache");
  const client = new Memcache({ nodes: [server] });
  return {
    get: (key) => client.get(key),
    set: (key, value) => client.set(key, value),
    getMany: (keys) => client.gets(keys),
    close: () => client.disconnect(),
    binary: false,
  };
});

/** memcachier's memjs. */
export const memjs: Contender = contender((server) => {
  const { Client } = require("memjs");
  const client = Client.create(server);
  return {
    get: (key) => client.get(key),
    set: (key, value) => client.set(key, value, {}),
    close: () => client.close(),
    binary: true,
  };
});

/** 3rd-Eden's memcached. */
export const memcached: Contender = contender((server) => {
  const Client = require("memcached");
  const client = new Client(server);
  return {
    get: (key) => promised((done) => client.get(key, done)),
    set: (key, value) => promised((done) => client.set(key, asBuffer(value), 0, done)),
    getMany: (keys) => promised((done) => client.getMulti(keys, done)),
    close: () => client.end(),
    binary: true,
  };
});

/** electrode's memcache-client. */
export const memcacheClient: Contender = contender((server) => {
  const { MemcacheClient } = require("memcache-client");
  const client = new MemcacheClient({ server });
  return {
    get: (key) => client.get(key),
    set: (key, value) => client.set(key, asBuffer(value)),
    getMany: (keys) => client.get(keys),
    close: () => client.shutdown(),
    binary: true,
  };
});

/** ioredis with automatic pipelining, on Redis. */
export const ioredis: Contender = contender((_server, redis) => {
  if (redis === undefined) return undefined;
  const { Redis } = require("ioredis");
  const [host, port] = redis.split(":");
  const client = new Redis({
    host,
    port: Number(port),
    enableAutoPipelining: true,
  });
  return {
    get: (key) => client.get(key),
    set: (key, value) => client.set(key, value),
    getMany: (keys) => client.mget(keys),
    close: () => client.disconnect(),
    binary: false,
  };
});

/** node-redis, which pipelines by itself. */
export const redis: Contender = contender((_server, address) => {
  if (address === undefined) return undefined;
  const { createClient } = require("redis");
  const client = createClient({ url: `redis://${address}` });
  client.connect(); // calls wait until it is connected
  return {
    get: (key) => client.get(key),
    set: (key, value) => client.set(key, value),
    getMany: (keys) => client.mGet(keys),
    close: () => client.destroy(),
    binary: false,
  };
});

function asBuffer(value: string | Uint8Array): unknown {
  return typeof value === "string" ? value : require("node:buffer").Buffer.from(value);
}

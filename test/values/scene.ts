/** A server, a client for each table of values, and a client that sees bytes and flags as they are stored. */
import { Buffer } from "node:buffer";
import { after, before } from "node:test";
import { Memcached, type MemcachedOptions } from "../../mod.ts";
import { type Raw, rawSerializer } from "../client/suite/stage.ts";
import { type MemcachedServer, startMemcached } from "../support/memcached.ts";

/** A name of a table. */
export type ValuesName = NonNullable<MemcachedOptions["values"]>;

/** The clients and helpers of a test. */
export class Scene {
  readonly server: MemcachedServer;
  readonly raw: Memcached;
  readonly #clients: Memcached[] = [];
  #keys = 0;

  constructor(server: MemcachedServer) {
    this.server = server;
    this.raw = this.connect({ serializer: rawSerializer });
  }

  /** Makes a client, which is closed with the scene. */
  connect(options: MemcachedOptions): Memcached {
    const client = new Memcached(this.server.address, { timeout: 10_000, ...options });
    this.#clients.push(client);
    return client;
  }

  /** Returns the client of a table. */
  readonly of = (values: ValuesName, options: MemcachedOptions = {}): Memcached =>
    this.connect({ values, ...options });

  /** Returns a key that nobody has used. */
  readonly key = (): string => `key:${++this.#keys}`;

  /** Reads bytes and flags with a client, and returns the value. */
  readonly read = async (
    client: Memcached,
    data: string | Uint8Array,
    flags: number,
  ): Promise<unknown> => {
    const key = this.key();
    const bytes = typeof data === "string" ? new Uint8Array(Buffer.from(data, "latin1")) : data;
    await this.raw.set(key, { data: bytes, flags });
    return await client.get(key);
  };

  /** Stores a value with a client, and returns its flags and its bytes as latin1. */
  readonly store = async (client: Memcached, value: unknown): Promise<[number, string]> => {
    const key = this.key();
    await client.set(key, value);
    const { flags, data } = await this.raw.get<Raw>(key) as Raw;
    return [flags, Buffer.from(data).toString("latin1")];
  };

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    await this.server.stop();
  }
}

/** Makes one scene for all tests of a file. */
export function oneScene(): () => Scene {
  let scene: Scene | undefined;
  before(async () => {
    scene = new Scene(await startMemcached());
  });
  after(() => scene?.close());
  return () => scene as Scene;
}

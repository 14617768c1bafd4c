/**
 * The setting of the behaviour suite: a server of its own, reached in one way and with one `protocol`, the client
 * that most tests use, and other clients of the same server.
 */
import assert from "node:assert/strict";
import {
  Memcached,
  type MemcachedOptions,
  type Serializer,
  type ServerSpec,
} from "../../../mod.ts";
import type { MemcachedServer } from "../../support/memcached.ts";

/** A value of the option `protocol`. */
export type Protocol = "meta" | "classic" | "auto";

/** A way to reach a server. */
export interface Way {
  readonly name: string;
  /** Starts a server. */
  open(): Promise<Reached>;
}

/** A server and what a client needs to reach it. */
export interface Reached {
  readonly server: MemcachedServer;
  readonly servers: string | readonly ServerSpec[];
  readonly options: MemcachedOptions;
  /** The server itself, if a proxy is in between. */
  readonly behind?: string;
  close(): Promise<void>;
}

/** A serializer that keeps bytes and flags as they are stored. */
export interface Raw {
  readonly data: Uint8Array;
  readonly flags: number;
}

/** Stores bytes under any flags and reads them back, whatever they mean. */
export const rawSerializer: Serializer = {
  serialize: (value) => value as Raw,
  deserialize: (data, flags): Raw => ({ data: Uint8Array.from(data), flags }),
};

/** One server, and the clients that talk to it. */
export class Stage {
  readonly protocol: Protocol;
  readonly server: MemcachedServer;
  readonly servers: string | readonly ServerSpec[];
  /** The client that most tests use. */
  readonly client: Memcached;
  /** Reads and writes bytes and flags as they are stored. */
  readonly raw: Memcached;
  /** A client that always speaks meta, so that it can see a ttl. */
  readonly oracle: Memcached;
  readonly #reached: Reached;
  readonly #clients: Memcached[] = [];
  #keys = 0;

  /** Use Stage.open. */
  constructor(reached: Reached, protocol: Protocol) {
    this.#reached = reached;
    this.server = reached.server;
    this.servers = reached.servers;
    this.protocol = protocol;
    this.client = this.connect();
    this.raw = this.connect({ serializer: rawSerializer });
    const { behind } = reached;
    this.oracle = behind === undefined
      ? this.connect({ protocol: "meta" })
      : new Memcached(behind, { protocol: "meta", timeout: 10_000 });
    this.#clients.push(this.oracle);
  }

  /** Starts a server and clients for it. */
  static async open(way: Way, protocol: Protocol): Promise<Stage> {
    return new Stage(await way.open(), protocol);
  }

  /** The dialect that `auto` finds here: meta on a server of 1.6.18 or newer, classic behind a proxy. */
  get dialect(): "meta" | "classic" {
    const proxied = this.#reached.behind !== undefined;
    return this.protocol === "classic" || proxied ? "classic" : "meta";
  }

  /** Another client, closed with the stage. */
  connect(options: MemcachedOptions = {}): Memcached {
    const client = new Memcached(this.servers, {
      protocol: this.protocol,
      // A long timeout: deadlines are not tested here, and a busy machine is slow.
      timeout: 10_000,
      connectTimeout: 10_000,
      ...this.#reached.options,
      ...options,
    });
    this.#clients.push(client);
    return client;
  }

  /** Returns a key that nobody has used. */
  readonly key = (): string => `key:${++this.#keys}`;

  /** Returns how many seconds a key has to live. */
  readonly ttl = async (key: string): Promise<number | undefined> =>
    (await this.oracle.getItem(key))?.ttl;

  /** Stores bytes under flags. */
  readonly plant = (key: string, data: string | Uint8Array, flags: number): Promise<void> =>
    this.raw.set(key, { data: typeof data === "string" ? encoder.encode(data) : data, flags });

  /** Returns what is stored, with its flags. */
  readonly stored = (key: string): Promise<Raw | undefined> => this.raw.get<Raw>(key);

  /** Runs something while the server does not answer, whatever it is sent. */
  readonly silently = async <T>(run: () => Promise<T>): Promise<T> => {
    this.server.pause();
    // The signal takes a moment to arrive.
    await new Promise((resolve) => setTimeout(resolve, 20));
    try {
      return await run();
    } finally {
      this.server.resume();
    }
  };

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    await this.#reached.close();
  }
}

const encoder = new TextEncoder();

/**
 * Asserts that the seconds to live are those that were asked for, or nearly: the server's seconds go on between
 * the write and the look, and a ttl over 30 days is sent as an absolute time, by a clock that differs from the
 * server's.
 */
export function assertTtl(left: number | undefined, asked: number): void {
  const most = asked > 2_592_000 ? asked + 1 : asked;
  assert.ok(
    left === asked || (left !== undefined && left <= most && left >= asked - 2),
    `a TTL of ${left}, not ${asked}`,
  );
}

/** A part of the suite: it declares its tests. The stage is ready when they run. */
export type Part = (on: () => Stage) => void;

/**
 * Runs tests with stores on a real memcached, once in each dialect, and shows what is stored there.
 *
 *     describeDialects("a store", (stores) => {
 *       test("keeps values", async () => {
 *         const store = stores.make();            // closed when the block ends
 *         await store.set("id", { a: 1 });
 *         await stores.stored(store.mcKey("id")); // { bytes, flags, ttl }
 *       });
 *     });
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe } from "node:test";
import {
  Memcached,
  type MemcachedOptions,
  type Session,
  SessionStore,
  type SessionStoreOptions,
} from "../../mod.ts";
import { type BorrowedServers, borrowMemcached } from "../support/memcached.ts";

/** Fields of any kind, for the sessions of tests. */
export type Fields = Record<string, unknown>;

/** What is stored under a key. */
export interface Stored {
  readonly bytes: Uint8Array;
  readonly flags: number;
  /** Seconds until it expires; Infinity: never. */
  readonly ttl: number;
}

/** The two dialects. */
export const DIALECTS = ["meta", "classic"] as const;

/** One of the two. */
export type DialectName = (typeof DIALECTS)[number];

/** A `describe` for each dialect, with stores that share one borrowed server. */
export function describeDialects(title: string, body: (stores: Stores) => void): void {
  for (const protocol of DIALECTS) {
    describe(`${title} (${protocol})`, () => {
      const stores = new Stores(protocol);
      before(() => stores.start());
      after(() => stores.stop());
      body(stores);
    });
  }
}

/** An id that no other test has. */
export function someId(): string {
  return randomBytes(9).toString("base64url");
}

/** A client that reads and stores bytes and flags as they are. */
export function rawClient(address: string, options: MemcachedOptions = {}): Memcached {
  return new Memcached(address, {
    protocol: "meta",
    ...options,
    serializer: {
      serialize: (value) => value as { data: Uint8Array; flags: number },
      deserialize: (data, flags) => ({ data, flags }),
    },
  });
}

/** The fields of a session. */
export function fieldsOf<V>(session: Session<V>): Record<string, unknown> {
  return Object.fromEntries(session.entries());
}

/** Stores a session with these fields; resolves to its id. */
export async function storedSession(store: SessionStore<Fields>, fields: Fields): Promise<string> {
  const session = await store.open();
  for (const [name, value] of Object.entries(fields)) session.set(name, value);
  await store.storeSession(session);
  return session.id;
}

/** Makes stores that speak one dialect, all in one namespace, and closes them. */
export class Stores {
  readonly protocol: DialectName;
  readonly namespace: string = `test${someId()}:`;
  readonly #opened: AsyncDisposable[] = [];
  #servers: BorrowedServers | undefined;
  #raw: Memcached | undefined;

  constructor(protocol: DialectName) {
    this.protocol = protocol;
  }

  async start(): Promise<void> {
    this.#servers = await borrowMemcached();
    this.#raw = rawClient(this.address);
  }

  async stop(): Promise<void> {
    for (const store of this.#opened) await store[Symbol.asyncDispose]();
    await this.#raw?.close();
    await this.#servers?.stop();
  }

  /** The address of the server. */
  get address(): string {
    return this.#servers?.addresses[0] as string;
  }

  /** A store, closed at the end of the block. */
  make<V = Fields>(options: SessionStoreOptions = {}): SessionStore<V> {
    const { address: servers, protocol, namespace } = this;
    // A long timeout, because tests share their machine with others; tests of timeouts set their own.
    const patience = { timeout: 5_000, connectTimeout: 5_000 };
    const store = new SessionStore<V>({ servers, protocol, namespace, ...patience, ...options });
    this.#opened.push(store);
    return store;
  }

  /** Reads and writes items as they are in memcached; values are `{ data, flags }`. */
  get raw(): Memcached {
    return this.#raw as Memcached;
  }

  /**
   * Fails unless the item has so many seconds to live, or a few less, as on a slow machine, or one more:
   * memcached's own clock goes by the second, and absolute times are measured against it.
   */
  async assertTtl(key: string, ttl: number): Promise<void> {
    const left = (await this.stored(key))?.ttl ?? NaN;
    const right = left === ttl || (left <= ttl + 1 && left >= ttl - 15);
    assert.ok(right, `${left} seconds left, not ${ttl}`);
  }

  /** Returns what is stored under a key. */
  async stored(key: string): Promise<Stored | undefined> {
    const item = await this.raw.getItem<{ data: Uint8Array; flags: number }>(key);
    if (item === undefined) return undefined;
    return { bytes: item.value.data, flags: item.flags, ttl: item.ttl as number };
  }
}

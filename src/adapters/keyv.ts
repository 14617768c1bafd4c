/**
 * A storage adapter for Keyv 5 and 6, and so for what is built on it: cache-manager, `@nestjs/cache-manager`,
 * cacheable, Apollo's KeyvAdapter.
 *
 * @example
 * ```typescript
 * import Keyv from "keyv";
 * import { Memcached } from "memwire";
 * import { MemwireKeyv } from "memwire/keyv";
 *
 * const client = new Memcached("localhost:11211");
 * const keyv = new Keyv({ store: new MemwireKeyv(client), namespace: "shop" });
 * ```
 *
 * @module
 */
import { readOptions } from "../checks/options.ts";
import { coreOf } from "../client/copies.ts";
import { deleteListed, getListed } from "../client/listed.ts";
import type { Memcached } from "../client/memcached.ts";
import { safeKey } from "../client/wire_key.ts";
import { isMemcachedError, type PartialError } from "../errors.ts";
import { MAX_EXPTIME } from "../protocol/exptime.ts";
import { checkPrefix } from "../protocol/key.ts";

/** An entry of {@linkcode MemwireKeyv.setMany}. */
export interface KeyvEntry {
  /** Any text. */
  key: string;
  /** What Keyv stores: its JSON, or with serialization off a value as it is. */
  value: unknown;
  /** Milliseconds; undefined: for ever. */
  ttl?: number | undefined;
}

/** The value with its end in ms since 1970, because memcached counts seconds, and the key if it was hashed. */
type Envelope = [value: unknown, end: number | null, key?: string];

// Keys that are read or deleted together.
const BATCH = 100;
// A minute before memcached's last second.
const LAST_MS = (MAX_EXPTIME - 60) * 1000;

/**
 * Keeps Keyv's entries in memcached. Keys may be any text; a time to live is exact to the millisecond, though
 * memcached counts seconds. What cannot be reached rejects: what Keyv makes of that is Keyv's `emitErrors` and
 * `throwOnErrors`. `clear` and `iterator` list the servers' keys.
 *
 * Keyv itself turns values into JSON, by which a Map or a Date is lost. Give Keyv 6 `serialization: false`, or
 * Keyv 5 `serialize: undefined` and `deserialize: undefined`, and they come back as they were.
 *
 * @example
 * ```ts
 * import { Memcached } from "memwire";
 * import { MemwireKeyv } from "memwire/keyv";
 *
 * const client = new Memcached("localhost:11211");
 * const store = new MemwireKeyv(client, { namespace: "example" }); // new Keyv({ store })
 * await store.set("a key", new Map([["a", 1]]), 60_000);
 * console.log(await store.get("a key")); // Map(1) { "a" => 1 }
 * await client.close();
 * ```
 */
export class MemwireKeyv {
  /** Keyv sets its own here. Put before every key, with ":" between. */
  namespace: string | undefined;
  /** Read by Keyv 5, which iterates only over stores of its own list; "redis" is on it. */
  readonly opts: Record<string, unknown> = { dialect: "redis", url: "" };
  readonly #client: Memcached;
  readonly #onError: ((error: unknown) => void)[] = [];

  /**
   * Checks the options; connects to nobody.
   *
   * @param client The client that is used; it is never closed.
   * @param options `namespace`: for Keyv without one of its own.
   */
  constructor(client: Memcached, options?: { namespace?: string | undefined }) {
    const { namespace } = readOptions(options, { namespace: undefined });
    coreOf(client); // throws for anything else
    this.#client = client;
    this.namespace = namespace === undefined ? undefined : checkPrefix(namespace, "namespace");
  }

  /** Adds a listener. The only event is "error": a part of a setMany has failed. */
  on(event: string, listener: (error: unknown) => void): this {
    if (event === "error") this.#onError.push(listener);
    return this;
  }

  /** The value; undefined when it is absent or over. */
  async get<V = unknown>(key: string): Promise<V | undefined> {
    return this.#valueOf(await this.#client.get(this.#place(key).sent)) as V | undefined;
  }

  /** The values, in the keys' order. */
  async getMany<V = unknown>(keys: string[]): Promise<(V | undefined)[]> {
    const sent = keys.map((key) => this.#place(key).sent);
    const found = await this.#client.getMany(sent);
    return sent.map((key) => this.#valueOf(found.get(key)) as V | undefined);
  }

  /** Whether it is there. */
  async has(key: string): Promise<boolean> {
    return (await this.get(key)) !== undefined;
  }

  /** The same for many, in the keys' order. */
  async hasMany(keys: string[]): Promise<boolean[]> {
    return (await this.getMany(keys)).map((value) => value !== undefined);
  }

  /** Stores a value for `ttl` milliseconds, by default for ever; what has no time left is deleted. true. */
  async set(key: string, value: unknown, ttl?: number): Promise<boolean> {
    const { sent, hashed } = this.#place(key);
    const life = lifeOf(ttl);
    if (life === undefined) await this.#client.delete(sent);
    else await this.#client.set(sent, envelope(value, life.end, hashed), { ttl: life.seconds });
    return true;
  }

  /** Stores many. An entry that fails is false, and its error is emitted; if all fail it rejects. */
  async setMany(entries: KeyvEntry[]): Promise<boolean[]> {
    const failed = new Map<string, unknown>();
    const groups = new Map<number | undefined, Map<string, Envelope>>();
    const over: string[] = [];
    const sent = entries.map(({ key, value, ttl }) => {
      const { sent, hashed } = this.#place(key);
      const life = lifeOf(ttl);
      if (life === undefined) over.push(sent);
      else {
        const group = groups.get(life.seconds) ?? new Map<string, Envelope>();
        groups.set(life.seconds, group.set(sent, envelope(value, life.end, hashed)));
      }
      return sent;
    });
    const calls = Array.from(groups, ([ttl, group]) => this.#client.setMany(group, { ttl }));
    for (const call of await Promise.allSettled([...calls, this.#client.deleteMany(over)])) {
      if (call.status === "fulfilled") continue;
      const { reason } = call as { reason: unknown };
      if (!isMemcachedError(reason) || reason.code !== "PARTIAL") throw reason;
      for (const [key, error] of (reason as PartialError).errors) failed.set(key, error);
      if (failed.size === new Set(sent).size) throw reason;
      for (const listener of this.#onError) listener(reason);
    }
    return sent.map((key) => !failed.has(key));
  }

  /** Deletes it. true: it was there. */
  delete(key: string): Promise<boolean> {
    return Promise.resolve().then(() => this.#client.delete(this.#place(key).sent));
  }

  /** Deletes many. true: all were there. */
  async deleteMany(keys: string[]): Promise<boolean> {
    const deleted = await this.#client.deleteMany(keys.map((key) => this.#place(key).sent));
    return [...deleted.values()].every(Boolean);
  }

  /** Deletes what is in the namespace, one by one; without one all that the client's own prefix has. */
  async clear(): Promise<void> {
    for await (const keys of this.#batches()) await deleteListed(coreOf(this.#client), keys);
  }

  /** The keys with their values, roughly those that are there now. */
  async *iterator<V = unknown>(): AsyncGenerator<[string, V], void> {
    const prefix = this.#prefix;
    for await (const keys of this.#batches()) {
      const found = await getListed(coreOf(this.#client), keys);
      for (const [i, stored] of found.entries()) {
        const value = this.#valueOf(stored);
        if (value === undefined) continue;
        const [, , whole] = Array.isArray(stored) ? stored as Envelope : [];
        const key = whole ?? keys[i] as string;
        yield [key.slice(prefix.length), value as V];
      }
    }
  }

  /** Nothing: the client is its owner's to close. */
  async disconnect(): Promise<void> {}

  get #prefix(): string {
    return this.namespace === undefined || this.namespace === "" ? "" : `${this.namespace}:`;
  }

  /** A key as the client takes it; `hashed`: the whole key, if it goes over the wire as a hash. */
  #place(key: string): { sent: string; hashed: string | undefined } {
    const whole = this.#prefix + key;
    const { prefix, unsafeKeys } = coreOf(this.#client).options;
    const safe = safeKey(whole, prefix).slice(prefix.length);
    const hashed = safe === whole ? undefined : whole;
    return { sent: unsafeKeys === "hash" ? whole : safe, hashed };
  }

  /** What an envelope holds; what somebody else has stored comes as it is. */
  #valueOf(stored: unknown): unknown {
    if (!Array.isArray(stored)) return stored;
    const [value, end] = stored as Envelope;
    return end !== null && end <= Date.now() ? undefined : value;
  }

  async *#batches(): AsyncGenerator<string[], void> {
    let batch: string[] = [];
    for await (const key of this.#client.keys({ prefix: this.#prefix })) {
      if (batch.push(key) < BATCH) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  }
}

function envelope(value: unknown, end: number | null, key: string | undefined): Envelope {
  return key === undefined ? [value, end] : [value, end, key];
}

/** The time to live of so many ms, in seconds, and its end; undefined: it is over. */
function lifeOf(
  ttl: number | undefined | null,
): { seconds: number; end: number | null } | undefined {
  if (ttl === undefined || ttl === null) return { seconds: 0, end: null };
  if (ttl <= 0) return undefined;
  const end = Date.now() + ttl;
  // memcached may end what has a second left in a moment.
  return { seconds: end > LAST_MS ? 0 : Math.ceil(ttl / 1000) + 1, end };
}

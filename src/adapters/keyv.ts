/**
 * A storage adapter for Keyv 5 and 6, and for everything that is built on Keyv: cache-manager,
 * `@nestjs/cache-manager`, cacheable, Apollo's KeyvAdapter.
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
import { kindOf } from "../checks/values.ts";
import { coreOf } from "../client/copies.ts";
import { deleteListed, getListed } from "../client/listed.ts";
import type { Memcached } from "../client/memcached.ts";
import { safeKey } from "../client/wire_key.ts";
import { invalidRange, invalidType, isMemcachedError, type PartialError } from "../errors.ts";
import { MAX_EXPTIME } from "../protocol/exptime.ts";
import { checkPrefix } from "../protocol/key.ts";
import { byteLength } from "../protocol/text.ts";
import { checkAnyKey } from "./any_key.ts";

/** An entry of {@linkcode MemwireKeyv.setMany}. */
export interface KeyvEntry {
  /** Any text. */
  key: string;
  /** The value from Keyv: its JSON, or the value itself if serialization is off. */
  value: unknown;
  /** Milliseconds; undefined: no expiry. */
  ttl?: number | undefined;
}

/** The value, its end in ms since 1970 (because memcached counts in seconds), and the key if it was hashed. */
type Envelope = [value: unknown, end: number | null, key?: string];

// The end of an entry is in ms since 1970, so it is later than this moment of 2001.
const EARLIEST_END = 1e12;

// A hashed key begins with the first 206 bytes of the key, and `clear` finds it by the namespace and ":".
const MAX_NAMESPACE_BYTES = 205;

// How many keys are read or deleted together.
const BATCH = 100;
// A minute before the last second that memcached can store.
const LAST_MS = (MAX_EXPTIME - 60) * 1000;

/**
 * Keeps Keyv's entries in memcached. Keys may be any text. A ttl is exact to the millisecond, although memcached
 * counts in seconds. The methods reject if memcached cannot be reached; Keyv's options `emitErrors` and
 * `throwOnErrors` decide what Keyv does then. `clear` and `iterator` list the servers' keys.
 *
 * Keyv itself turns values into JSON, which loses a Map or a Date. They come back unchanged if you give Keyv 6
 * `serialization: false`, or Keyv 5 `serialize: undefined` and `deserialize: undefined`.
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
  /**
   * Put before every key, followed by ":". Keyv sets its own namespace here. "shop" includes the keys of
   * "shop:eu", so neither may be the beginning of the other.
   */
  namespace: string | undefined;
  /** Keyv 5 reads this: it iterates only over stores of a fixed list, which has "redis" on it. */
  readonly opts: Record<string, unknown> = { dialect: "redis", url: "" };
  readonly #client: Memcached;
  readonly #onError: ((error: unknown) => void)[] = [];

  /**
   * Checks the options, without connecting. Throws a `TypeError` for wrong ones.
   *
   * @param client The client to use. The store never closes it.
   * @param options `namespace` is used if Keyv has none of its own.
   */
  constructor(client: Memcached, options?: { namespace?: string | undefined }) {
    const { namespace } = readOptions(options, { namespace: undefined });
    coreOf(client); // throws for anything else
    this.#client = client;
    this.namespace = namespace === undefined ? undefined : checkPrefix(namespace, "namespace");
  }

  /** Adds a listener. The only event is "error": some entries of a setMany have failed. */
  on(event: string, listener: (error: unknown) => void): this {
    if (event === "error") this.#onError.push(listener);
    return this;
  }

  /** Resolves to the value, or undefined if it is absent or has expired. Rejects as the client does. */
  async get<V = unknown>(key: string): Promise<V | undefined> {
    return this.#valueOf(await this.#client.get(this.#place(key).sent)) as V | undefined;
  }

  /** Resolves to the values, in the order of the keys. Rejects as the client does. */
  async getMany<V = unknown>(keys: string[]): Promise<(V | undefined)[]> {
    const sent = keys.map((key) => this.#place(key).sent);
    const found = await this.#client.getMany(sent);
    return sent.map((key) => this.#valueOf(found.get(key)) as V | undefined);
  }

  /** Resolves to whether the key has a value. Rejects as the client does. */
  async has(key: string): Promise<boolean> {
    return (await this.get(key)) !== undefined;
  }

  /** Does the same as `has` for many keys, in their order. */
  async hasMany(keys: string[]): Promise<boolean[]> {
    return (await this.getMany(keys)).map((value) => value !== undefined);
  }

  /** Stores a value for `ttl` ms, by default without expiry; with 0 or less it deletes the key. Resolves to true. */
  async set(key: string, value: unknown, ttl?: number): Promise<boolean> {
    const { sent, hashed } = this.#place(key);
    const life = lifeOf(ttl);
    if (life === undefined) await this.#client.delete(sent);
    else await this.#client.set(sent, envelope(value, life.end, hashed), { ttl: life.seconds });
    return true;
  }

  /** Stores many. Resolves to false for each entry that failed, and emits the error; rejects if all have failed. */
  async setMany(entries: KeyvEntry[]): Promise<boolean[]> {
    const failed = new Map<string, unknown>();
    const groups = new Map<number | undefined, Map<string, Envelope>>();
    const over: string[] = [];
    const placed = entries.map(({ key, value, ttl }) => {
      return { ...this.#place(key), value, life: lifeOf(ttl) };
    });
    const sent = placed.map((entry) => entry.sent);
    // If a key comes several times, the last entry counts.
    const last = new Map(placed.map((entry) => [entry.sent, entry]));
    for (const { sent, hashed, value, life } of last.values()) {
      if (life === undefined) {
        over.push(sent);
        continue;
      }
      const group = groups.get(life.seconds) ?? new Map<string, Envelope>();
      groups.set(life.seconds, group.set(sent, envelope(value, life.end, hashed)));
    }
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

  /** Deletes the key. Resolves to whether it was there. */
  delete(key: string): Promise<boolean> {
    return Promise.resolve().then(() => this.#client.delete(this.#place(key).sent));
  }

  /** Deletes many keys. Resolves to whether all were there. */
  async deleteMany(keys: string[]): Promise<boolean> {
    const deleted = await this.#client.deleteMany(keys.map((key) => this.#place(key).sent));
    return [...deleted.values()].every(Boolean);
  }

  /** Deletes the namespace's keys, one by one; without a namespace, all keys with the client's own prefix. */
  async clear(): Promise<void> {
    for await (const keys of this.#batches()) await deleteListed(coreOf(this.#client), keys);
  }

  /** Yields the keys with their values. The list is approximate: it may miss keys that change meanwhile. */
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

  /** Does nothing, because the client's owner closes it. */
  async disconnect(): Promise<void> {}

  get #prefix(): string {
    const { namespace } = this;
    if (namespace === undefined || namespace === "") return "";
    const { prefix } = coreOf(this.#client).options;
    if (byteLength(prefix + namespace) > MAX_NAMESPACE_BYTES) {
      throw invalidType(
        `a namespace must have at most ${MAX_NAMESPACE_BYTES} bytes with the client's prefix`,
      );
    }
    return `${namespace}:`;
  }

  /** `sent` is the key for the client; `hashed` is the whole key if it goes over the wire as a hash. */
  #place(key: string): { sent: string; hashed: string | undefined } {
    checkAnyKey(key);
    const whole = this.#prefix + key;
    const { prefix, unsafeKeys } = coreOf(this.#client).options;
    const safe = safeKey(whole, prefix).slice(prefix.length);
    const hashed = safe === whole ? undefined : whole;
    return { sent: unsafeKeys === "hash" ? whole : safe, hashed };
  }

  /** The value in an envelope, if it has not expired. Values that other programs stored are returned unchanged. */
  #valueOf(stored: unknown): unknown {
    if (!isEnvelope(stored)) return stored;
    const [value, end] = stored;
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

/** Another program may have stored an array of its own. */
function isEnvelope(stored: unknown): stored is Envelope {
  if (!Array.isArray(stored) || stored.length < 2 || stored.length > 3) return false;
  const [, end, key] = stored as unknown[];
  return (end === null || (typeof end === "number" && end > EARLIEST_END)) &&
    (key === undefined || typeof key === "string");
}

function envelope(value: unknown, end: number | null, key: string | undefined): Envelope {
  return key === undefined ? [value, end] : [value, end, key];
}

/** Turns a ttl in ms into seconds and the end in ms since 1970; undefined: it is already over. */
function lifeOf(
  ttl: number | undefined | null,
): { seconds: number; end: number | null } | undefined {
  if (ttl === undefined || ttl === null) return { seconds: 0, end: null };
  if (typeof ttl !== "number") {
    throw invalidType(`ttl must be a number of milliseconds, not ${kindOf(ttl)}`);
  }
  if (Number.isNaN(ttl)) throw invalidRange("ttl must be a number of milliseconds, not NaN");
  if (ttl <= 0) return undefined;
  const end = Date.now() + ttl;
  // Add a second, because memcached may expire an item up to a second early.
  return { seconds: end > LAST_MS ? 0 : Math.ceil(ttl / 1000) + 1, end };
}

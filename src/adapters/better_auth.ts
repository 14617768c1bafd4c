/**
 * better-auth's secondary storage.
 *
 * @example
 * ```typescript
 * import { betterAuth } from "better-auth";
 * import { Memcached } from "memwire";
 * import { secondaryStorage } from "memwire/better-auth";
 *
 * const client = new Memcached("localhost:11211");
 * export const auth = betterAuth({ secondaryStorage: secondaryStorage(client) });
 * ```
 *
 * @module
 */
import { readOptions } from "../checks/options.ts";
import { kindOf } from "../checks/values.ts";
import { coreOf } from "../client/copies.ts";
import type { Memcached } from "../client/memcached.ts";
import { ConflictError, invalidType } from "../errors.ts";
import { checkPrefix } from "../protocol/key.ts";
import { anyKey, checkAnyKey } from "./any_key.ts";

/** The storage that better-auth calls. Keys may be any text. Each method rejects if memcached cannot be reached. */
export interface BetterAuthStorage {
  /** Resolves to the text, or null if it is absent. */
  get(key: string): Promise<string | null>;
  /** Deletes the text and resolves to it, or to null if it is absent. Of several concurrent callers one gets it. */
  getAndDelete(key: string): Promise<string | null>;
  /** Adds one, and resolves to the new count. `ttl`, in seconds, applies to a new counter; later calls ignore it. */
  increment(key: string, ttl: number): Promise<number>;
  /** Stores a text for `ttl` seconds, by default without expiry. With a `ttl` of 0 or less it is deleted instead. */
  set(key: string, value: string, ttl?: number): Promise<void>;
  /** Deletes the text. */
  delete(key: string): Promise<void>;
}

// Each further try means that another caller wrote in between.
const MAX_TRIES = 100;

/**
 * Makes a secondary storage for better-auth 1.7 and newer. `getAndDelete` and `increment` are atomic across all
 * servers of an application.
 *
 * @param client The client to use. The storage never closes it. Its `values` must be "memwire".
 * @param options `prefix` is put before every key. Default "better-auth:".
 * @returns The storage. Its methods reject as the client's do.
 *
 * @example
 * ```ts
 * import { Memcached } from "memwire";
 * import { secondaryStorage } from "memwire/better-auth";
 *
 * const client = new Memcached("localhost:11211");
 * const storage = secondaryStorage(client);
 * await storage.set("otp:ada@example.org", "123456", 300);
 * console.log(await storage.getAndDelete("otp:ada@example.org")); // 123456
 * console.log(await storage.getAndDelete("otp:ada@example.org")); // null
 * await client.close();
 * ```
 */
export function secondaryStorage(
  client: Memcached,
  options?: { prefix?: string | undefined },
): BetterAuthStorage {
  const { prefix = "better-auth:" } = readOptions(options, { prefix: undefined });
  checkPrefix(prefix, "prefix");
  if ((coreOf(client).options.values ?? "memwire") !== "memwire") {
    throw invalidType(
      'the client\'s values must be "memwire": with other tables a text may come back as bytes',
    );
  }
  const toKey = anyKey(client);
  const keyOf = (key: string): string => {
    checkAnyKey(key);
    return toKey(prefix + key);
  };
  return {
    async get(key): Promise<string | null> {
      return textOf(await client.get(keyOf(key)));
    },
    async getAndDelete(key): Promise<string | null> {
      const name = keyOf(key);
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        const item = await client.getItem(name);
        if (item === undefined) return null;
        const outcome = await client.compareAndDelete(name, item.cas);
        if (outcome === "deleted") return textOf(item.value);
        if (outcome === "missing") return null;
      }
      throw new ConflictError(`others kept writing the value: gave up after ${MAX_TRIES} tries`);
    },
    async increment(key, ttl): Promise<number> {
      return Number(await client.increment(keyOf(key), 1, { initial: 1, ttl }));
    },
    async set(key, value, ttl): Promise<void> {
      const name = keyOf(key);
      if (typeof value !== "string") {
        throw invalidType(`a value must be a string, not ${kindOf(value)}`);
      }
      if (typeof ttl === "number" && ttl <= 0) await client.delete(name);
      else await client.set(name, value, { ttl });
    },
    async delete(key): Promise<void> {
      await client.delete(keyOf(key));
    },
  };
}

/** Returns the stored text. A counter comes back from the client as a number, so it is turned into text. */
function textOf(value: unknown): string | null {
  return value === undefined ? null : String(value);
}

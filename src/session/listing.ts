/** The store's keys, entries, size and clear. The option `onIteration` decides what they do. */
import process from "node:process";
import type { Memcached } from "../client/memcached.ts";
import { UnsupportedError } from "../errors.ts";
import { hasEnded } from "./lifetime.ts";
import type { Home } from "./state.ts";

/** What the four methods do: nothing but a warning, reject, nothing, or list the keys. */
export type OnIteration = "warning" | "error" | "none" | "scan";

/** What a listing needs of its store. */
interface ListingSettings {
  readonly client: Memcached;
  readonly home: Home;
  readonly namespace: string;
  /** Whether keys hold hashes of ids, so that an id cannot be read from its key. */
  readonly hidden: boolean;
  readonly onIteration: OnIteration;
}

// How many commands are sent together.
const BATCH = 100;

/** Lists a namespace by memcached's metadump. The list is rough: keys come and go meanwhile. */
export class Listing<V> {
  readonly #settings: ListingSettings;

  constructor(settings: ListingSettings) {
    this.#settings = settings;
  }

  ids(): AsyncGenerator<string, void, void> {
    return this.#begin("keys", true, () => this.#ids());
  }

  entries(): AsyncGenerator<[id: string, value: V], void, void> {
    return this.#begin("entries", true, () => this.#entries());
  }

  async size(): Promise<number> {
    let size = 0;
    for await (const keys of this.#begin("size", false, () => this.#batches())) size += keys.length;
    return size;
  }

  async clear(): Promise<void> {
    for await (const keys of this.#begin("clear", false, () => this.#batches())) {
      await Promise.all(keys.map((key) => this.#settings.home.commands.delete(key, undefined)));
    }
  }

  /** Returns `list()` if `onIteration` allows the method. A warning is given at the call, not later. */
  #begin<T>(
    method: string,
    needsIds: boolean,
    list: () => AsyncGenerator<T, void, void>,
  ): AsyncGenerator<T, void, void> {
    const { onIteration, hidden } = this.#settings;
    if (onIteration === "none") return nothing();
    if (onIteration === "warning") {
      process.emitWarning(`SessionStore.${method}() does nothing unless onIteration is "scan"`, {
        type: "MemwireWarning",
        code: "MEMWIRE_ITERATION",
      });
      return nothing();
    }
    if (onIteration === "error") return refused(`${method} is refused by onIteration "error"`);
    return needsIds && hidden
      ? refused(`${method} cannot list ids, because a store with a secret keeps only their hashes`)
      : list();
  }

  async *#ids(): AsyncGenerator<string, void, void> {
    for await (const key of this.#keys()) yield key.slice(this.#settings.namespace.length);
  }

  async *#entries(): AsyncGenerator<[id: string, value: V], void, void> {
    const { home, namespace } = this.#settings;
    for await (const keys of this.#batches()) {
      const found = await Promise.all(keys.map((key) => home.commands.get(key, undefined)));
      for (const [i, stored] of found.entries()) {
        if (stored === undefined || stored.marker) continue;
        const { value, session } = stored;
        if (session !== undefined && hasEnded(session.createdAt, home)) continue;
        yield [keys[i]!.slice(namespace.length), value as V];
      }
    }
  }

  async *#batches(): AsyncGenerator<string[], void, void> {
    let batch: string[] = [];
    for await (const key of this.#keys()) {
      batch.push(key);
      if (batch.length < BATCH) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  }

  async *#keys(): AsyncGenerator<string, void, void> {
    const { client, namespace } = this.#settings;
    for await (const key of client.keys({ prefix: namespace })) {
      // A key that is just the namespace belongs to no session.
      if (key.length > namespace.length) yield key;
    }
  }
}

async function* nothing(): AsyncGenerator<never, void, void> {
  yield* [];
}

async function* refused(why: string): AsyncGenerator<never, void, void> {
  yield* [];
  throw new UnsupportedError(why);
}

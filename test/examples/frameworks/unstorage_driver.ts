import type { Memcached } from "memwire";
import type { Driver, StorageValue, TransactionOptions } from "unstorage";

/** A driver for unstorage, which Nitro and Nuxt use too. Keys have the form "a:b:c"; a ttl is in seconds. */
export function memwireDriver({ client, base = "" }: { client: Memcached; base?: string }): Driver {
  const start = base === "" || base.endsWith(":") ? base : `${base}:`;
  const read = async (key: string): Promise<StorageValue> =>
    (await client.get<StorageValue>(start + key)) ?? null;
  const write = (key: string, value: unknown, options?: TransactionOptions): Promise<void> =>
    client.set(start + key, value, { ttl: options?.ttl });
  const list = async (prefix = ""): Promise<string[]> => {
    const keys: string[] = [];
    for await (const key of client.keys({ prefix: start + prefix })) keys.push(key);
    return keys;
  };
  return {
    name: "memwire",
    flags: { ttl: true },
    hasItem: (key) => client.has(start + key),
    getItem: read,
    getItemRaw: read,
    getItems: async (items) => {
      const found = await client.getMany<StorageValue>(items.map(({ key }) => start + key));
      return items.map(({ key }) => ({ key, value: found.get(start + key) ?? null }));
    },
    setItem: write,
    setItemRaw: write,
    removeItem: async (key) => void await client.delete(start + key),
    getKeys: async (prefix) => (await list(prefix)).map((key) => key.slice(start.length)),
    clear: async (prefix) => void await client.deleteMany(await list(prefix)),
  };
}

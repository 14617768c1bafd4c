import type { KeyValueCache } from "@apollo/utils.keyvaluecache";
import type { Memcached } from "memwire";

/**
 * Apollo Server's cache: `new ApolloServer({ cache: apolloCache(client) })`. Its keys are whole queries,
 * so the client needs `unsafeKeys: "hash"`.
 */
export function apolloCache(client: Memcached): KeyValueCache<string> {
  return {
    get: (key) => client.get<string>(key),
    set: (key, value, options) => client.set(key, value, { ttl: options?.ttl ?? undefined }),
    delete: (key) => client.delete(key),
  };
}

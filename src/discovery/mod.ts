/**
 * Finds the servers of a cluster, and follows their changes: from a configuration endpoint of ElastiCache or
 * Memorystore, or from DNS, as Kubernetes and Consul provide it.
 *
 * `new Memcached(...)` and `SessionStore` take the result of these functions in place of a list. The search
 * begins with the client's first call and ends with its `close()`. An answer that is empty, failed, malformed or
 * older than the last one leaves the list as it is, and is reported on the channel `memwire:discovery`.
 *
 * @example
 * ```ts no-run
 * import { Memcached } from "memwire";
 * import { dns, elasticache } from "memwire/discovery";
 *
 * const aws = new Memcached(elasticache("my-cluster.cfg.use1.cache.amazonaws.com"));
 * const pods = new Memcached(dns("_memcache._tcp.memcached.default.svc.cluster.local"));
 * ```
 *
 * @module
 */
export { elasticache, type ElastiCacheOptions } from "./elasticache.ts";
export { dns, type DnsOptions } from "./dns.ts";
export type { Discovery } from "../cluster/discovery.ts";

/**
 * memwire: a memcached client and session store for Node, Deno and Bun, without dependencies.
 *
 * {@link SessionStore} keeps sessions, {@link Memcached} is the client under it. The house from the ground
 * up, each floor using only those below:
 *
 * - protocol, hashing, v8, checks: bytes and rules, without a socket
 * - connection: one socket and the requests on it
 * - cluster: which server a key belongs to, and whether it is up
 * - client: commands, values, many keys, fetch and lock
 * - session: ids, merging and sealing
 * - adapters: sessions for other people's servers; discovery: finds the servers of a cluster; testing: a
 *   memcached inside the process
 *
 * CONTRIBUTING.md follows a request down and its reply up.
 *
 * @module
 */
export { SessionStore } from "./src/session/store.ts";
export { Session } from "./src/session/session.ts";
export { readCookie, sessionCookie } from "./src/session/cookie.ts";
export type { SessionStoreOptions } from "./src/session/options.ts";
export type { WebwareSettings } from "./src/session/settings.ts";
export { Memcached } from "./src/client/memcached.ts";
export type { ServerSpec } from "./src/address.ts";
export type { Discovery } from "./src/cluster/discovery.ts";
export type { ServerRef } from "./src/server_ref.ts";
export type { TlsOptions } from "./src/connection/tls_options.ts";
export type {
  CallOptions,
  MemcachedOptions,
  Serializer,
  StoreOptions,
} from "./src/client/options.ts";
export type { FetchOptions } from "./src/client/fetch/options.ts";
export type { Item } from "./src/client/item.ts";
export type { Lock } from "./src/client/held_lock.ts";
export type {
  CommandMessage,
  ConnectionMessage,
  DiscoveryMessage,
  FetchMessage,
  ServerMessage,
} from "./src/messages.ts";
export type { Hashing, HashingName, HashServer, Selector } from "./src/hashing/hashing.ts";
export {
  AuthError,
  ClosedError,
  ConflictError,
  ConnectionLostError,
  CorruptValueError,
  MemcachedError,
  OverloadedError,
  PartialError,
  ProtocolError,
  SerializationError,
  ServerDownError,
  ServerError,
  TimeoutError,
  UnsupportedError,
  ValueTooLargeError,
} from "./src/errors.ts";

/** What a server is started with, checked; apart from its state, for these types are published. */
import type { Clock } from "./clock.ts";

/** How much an {@linkcode ItemStore} takes. */
export interface StoreLimits {
  /** Bytes of all items together, uploads and what replies still point at included. */
  memory: number;
  /** Bytes of one item, key and overhead included. */
  readonly item: number;
}

/** What a server takes. */
export interface ServerLimits extends StoreLimits {
  /** Open connections. */
  readonly connections: number;
}

/** What a server does, and how much. */
export interface ServerSettings {
  readonly clock: Clock;
  readonly limits: ServerLimits;
  /** Whether the least recently used items make room. */
  readonly evicts: boolean;
  /** Whether items have versions. */
  readonly cas: boolean;
  /** Whether `flush_all` is allowed. */
  readonly flush: boolean;
  /** Whether `lru_crawler metadump` is allowed. */
  readonly dump: boolean;
  /** Seconds after which a silent connection is closed; 0 is never. */
  readonly idleTimeout: number;
  /** Who may use it; everybody if there is no list. */
  readonly users: readonly Credentials[] | undefined;
  readonly tls: boolean;
}

/** A user's name and password, one character per byte. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

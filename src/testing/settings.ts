/** The checked settings of a server. They are apart from its state, because these types are published. */
import type { Clock } from "./clock.ts";

/** How much an {@linkcode ItemStore} may hold. */
export interface StoreLimits {
  /** The bytes of all items together, with uploads and dropped items that replies still refer to. */
  memory: number;
  /** The bytes of one item, with its key and overhead. */
  readonly item: number;
}

/** How much a server may hold. */
export interface ServerLimits extends StoreLimits {
  /** How many connections may be open. */
  readonly connections: number;
}

/** The settings of a server. */
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
  /** After how many seconds a silent connection is closed; 0 means never. */
  readonly idleTimeout: number;
  /** Who may use the server; everybody if there is no list. */
  readonly users: readonly Credentials[] | undefined;
  readonly tls: boolean;
}

/** A user's name and password, one character per byte. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

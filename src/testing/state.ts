/** What all connections of one server share. */
import { type Clock, Timeline } from "./clock.ts";
import { Counters } from "./counters.ts";
import { ItemStore, type StoreLimits } from "./item_store.ts";

/** Where a server listens, as `stats settings` shows it. */
export interface ListenInfo {
  /** 0 on a unix socket. */
  port: number;
  host: string | undefined;
  path: string | undefined;
}

/** What a server takes. */
export interface ServerLimits extends StoreLimits {
  /** Open connections. */
  readonly connections: number;
}

/** An open connection, as `stats conns` shows it. */
export interface ConnectionInfo {
  /** Where the client is, and where it came in: `tcp:127.0.0.1:51234`. */
  readonly peer: string;
  readonly local: string;
  /** In memcached's words: `conn_read`... */
  readonly condition: string;
  /** When it last sent a command, in relative seconds. */
  readonly lastCommand: number;
}

/** What all connections of one server share. */
export interface ServerState {
  readonly timeline: Timeline;
  readonly counters: Counters;
  readonly store: ItemStore;
  readonly limits: ServerLimits;
  readonly listening: ListenInfo;
  /** Set by `verbosity`, shown by `stats settings`; nothing is logged. */
  verbosity: number;
  /** Set by `lru_crawler enable` and `disable`. */
  crawler: boolean;
  /** Open connections, by number. */
  readonly connections: Map<number, ConnectionInfo>;
  /** The number of the last one. */
  lastConnection: number;
}

/** A server with nothing in it. */
export function newState(clock: Clock, limits: ServerLimits, listening: ListenInfo): ServerState {
  const timeline = new Timeline(clock);
  const counters = new Counters();
  const store = new ItemStore(timeline, counters, limits);
  return {
    timeline,
    counters,
    store,
    limits,
    listening,
    verbosity: 0,
    crawler: true,
    connections: new Map(),
    lastConnection: 0,
  };
}

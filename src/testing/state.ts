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

/** What all connections of one server share. */
export interface ServerState {
  readonly timeline: Timeline;
  readonly counters: Counters;
  readonly store: ItemStore;
  readonly limits: StoreLimits;
  readonly listening: ListenInfo;
  /** Set by `verbosity`, shown by `stats settings`; nothing is logged. */
  verbosity: number;
  /** Set by `lru_crawler enable` and `disable`. */
  crawler: boolean;
  /** Open connections. */
  connections: number;
}

/** A server with nothing in it. */
export function newState(clock: Clock, limits: StoreLimits, listening: ListenInfo): ServerState {
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
    connections: 0,
  };
}

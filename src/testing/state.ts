/** What all connections of one server share. */
import { Calls } from "./calls.ts";
import { Timeline } from "./clock.ts";
import { Counters } from "./counters.ts";
import { Faults } from "./faults.ts";
import { ItemStore } from "./item_store.ts";
import { Schedule } from "./schedule.ts";
import type { ServerLimits, ServerSettings } from "./settings.ts";

/** Where a server listens, as `stats settings` shows it. */
export interface ListenInfo {
  /** 0 on a unix socket. */
  port: number;
  readonly host: string | undefined;
  readonly path: string | undefined;
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
  /** Closes it if it has been silent for too long. */
  closeIfIdle(): void;
}

/** What all connections of one server share. */
export interface ServerState {
  readonly settings: ServerSettings;
  readonly timeline: Timeline;
  readonly counters: Counters;
  readonly store: ItemStore;
  readonly limits: ServerLimits;
  readonly listening: ListenInfo;
  readonly faults: Faults;
  readonly calls: Calls;
  readonly schedule: Schedule;
  /** Set by `verbosity`, shown by `stats settings`; nothing is logged. */
  verbosity: number;
  /** Set by `lru_crawler enable` and `disable`. */
  crawler: boolean;
  /** What `config get cluster` is answered with, one character per byte; undefined: it is not known. */
  cluster: string | undefined;
  /** Bytes that connections keep: lines without an end, requests and replies that wait. */
  buffered: number;
  /** Open connections, by number. */
  readonly connections: Map<number, ConnectionInfo>;
  /** The number of the last one. */
  lastConnection: number;
}

/** A server with nothing in it. */
export function newState(
  settings: ServerSettings,
  listening: ListenInfo,
  faults: Faults = new Faults(),
  calls: Calls = new Calls(),
): ServerState {
  const timeline = new Timeline(settings.clock);
  const counters = new Counters();
  const limits = { ...settings.limits };
  const { evicts, cas } = settings;
  const store = new ItemStore(timeline, counters, { limits, evicts, cas });
  return {
    settings,
    timeline,
    counters,
    store,
    limits,
    listening,
    faults,
    calls,
    schedule: new Schedule(),
    verbosity: 0,
    crawler: true,
    cluster: undefined,
    buffered: 0,
    connections: new Map(),
    lastConnection: 0,
  };
}

/** Bytes that all connections together may keep. */
export function bufferLimit({ limits }: ServerState): number {
  return Math.max(LEAST_BUFFERS, limits.memory / 4);
}

/** A small memory limit leaves the connections this many bytes. */
const LEAST_BUFFERS = 4 * 1024 * 1024;

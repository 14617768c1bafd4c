/** The state that all connections of one server share. */
import { Calls } from "./calls.ts";
import { Timeline } from "./clock.ts";
import { Counters } from "./counters.ts";
import { Faults } from "./faults.ts";
import { ItemStore } from "./item_store.ts";
import { Schedule } from "./schedule.ts";
import type { ServerLimits, ServerSettings } from "./settings.ts";

/** Where a server listens, as `stats settings` shows it. */
export interface ListenInfo {
  /** The TCP port; 0 on a unix socket. */
  port: number;
  readonly host: string | undefined;
  readonly path: string | undefined;
}

/** An open connection, as `stats conns` shows it. */
export interface ConnectionInfo {
  /** The addresses of the client's end and of this end, such as `tcp:127.0.0.1:51234`. */
  readonly peer: string;
  readonly local: string;
  /** What the connection is doing, in memcached's words: `conn_read`, for example. */
  readonly condition: string;
  /** When the client last sent a command, in relative seconds. */
  readonly lastCommand: number;
  /** Closes the connection if it has been silent for too long. */
  closeIfIdle(): void;
}

/** The state that all connections of one server share. */
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
  /** How many bytes all connections keep: unfinished lines, and requests and replies that wait. */
  buffered: number;
  /** Open connections, by number. */
  readonly connections: Map<number, ConnectionInfo>;
  /** The number of the last connection. */
  lastConnection: number;
}

/** Makes the state of a server with nothing in it. */
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

/** Returns how many bytes all connections together may keep. */
export function bufferLimit({ limits }: ServerState): number {
  return Math.max(LEAST_BUFFERS, limits.memory / 4);
}

/** Even with a small memory limit the connections may keep this many bytes. */
const LEAST_BUFFERS = 4 * 1024 * 1024;

/** `stats`: the fields that mean something in this server, with memcached's names and in its order. */
import process from "node:process";
import { VERSION } from "./admin_commands.ts";
import type { ClassCounterName, CounterName, Counters } from "./counters.ts";
import { ITEMS_A_STEP } from "./item_store.ts";
import { slabClass } from "./item.ts";
import type { ServerState } from "./state.ts";
import type { Command, Turn } from "./turn.ts";

type Fields = ReadonlyArray<readonly [name: string, value: string | number]>;

function general(state: ServerState): Fields {
  const { timeline, counters, store, limits, settings, connections } = state;
  const { totals } = counters;
  const { user, system } = process.cpuUsage();
  const total = (...names: CounterName[]): Fields => names.map((name) => [name, totals[name]]);
  const sum = (name: ClassCounterName, as: string = name): Fields => [[as, counters.sum(name)]];
  return [
    ["pid", process.pid],
    ["uptime", timeline.uptime],
    ["time", timeline.now + timeline.started],
    ["version", VERSION],
    ["pointer_size", 64],
    ["rusage_user", cpu(user)],
    ["rusage_system", cpu(system)],
    ["max_connections", limits.connections],
    ["curr_connections", connections.size],
    ...total("total_connections", "rejected_connections"),
    ...total("cmd_get", "cmd_set", "cmd_flush", "cmd_touch", "cmd_meta"),
    ...total("get_hits", "get_misses", "get_expired", "get_flushed"),
    ...total("delete_misses", "delete_hits"),
    ...total("incr_misses", "incr_hits", "decr_misses", "decr_hits"),
    ...total("cas_misses", "cas_hits", "cas_badval", "touch_hits", "touch_misses"),
    ...total("store_too_large", "store_no_memory", "auth_cmds", "auth_errors"),
    ...(settings.idleTimeout > 0 ? total("idle_kicks") : []),
    ...total("bytes_read", "bytes_written"),
    ["limit_maxbytes", limits.memory],
    ["accepting_conns", 1],
    ["threads", 1],
    ...total("conn_yields", "lru_crawler_starts"),
    ["bytes", store.bytes],
    ["curr_items", store.size],
    ...total("total_items"),
    ...sum("expired_unfetched"),
    ...sum("evicted_unfetched"),
    ...sum("evicted", "evictions"),
    ...sum("reclaimed"),
    ...sum("crawler_reclaimed"),
  ];
}

/** Formats microseconds as seconds. */
function cpu(microseconds: number): string {
  return (microseconds / 1e6).toFixed(6);
}

function settingsOf(state: ServerState): Fields {
  const { settings, limits, listening, verbosity, store, crawler } = state;
  const yes = (on: boolean): string => on ? "yes" : "no";
  return [
    ["maxbytes", limits.memory],
    ["maxconns", limits.connections],
    ["tcpport", listening.port],
    ["udpport", 0],
    ["inter", listening.host ?? "NULL"],
    ["verbosity", verbosity],
    ["oldest", store.oldestLive],
    ["evictions", settings.evicts ? "on" : "off"],
    ["domain_socket", listening.path ?? "NULL"],
    ["shutdown_command", "no"],
    ["growth_factor", "1.25"],
    ["chunk_size", 48],
    ["num_threads", 1],
    ["detail_enabled", "no"],
    ["reqs_per_event", 20],
    ["cas_enabled", yes(settings.cas)],
    ["binding_protocol", "ascii"],
    ["auth_enabled_sasl", "no"],
    ["auth_enabled_ascii", yes(settings.users !== undefined)],
    ["item_size_max", limits.item],
    ["maxconns_fast", "yes"],
    ["lru_crawler", yes(crawler)],
    ["flush_enabled", yes(settings.flush)],
    ["dump_enabled", yes(settings.dump)],
    ["idle_timeout", settings.idleTimeout],
    ["track_sizes", "no"],
    ["ssl_enabled", yes(settings.tls)],
  ];
}

/** The number, the oldest time of use and the bytes of the items in a slab class. */
interface ClassSummary {
  number: number;
  oldest: number;
  bytes: number;
}

/** `stats items`, which looks at all items in steps. */
function items(turn: Turn): void {
  const { store, timeline: { now }, counters } = turn.state;
  const classes = new Map<number, ClassSummary>();
  let bucket: number | undefined = 0;
  turn.work(() => {
    bucket = store.visit(bucket!, ITEMS_A_STEP, (item) => {
      const size = store.sizeOf(item);
      const slab = slabClass(size);
      const summary = classes.get(slab) ?? { number: 0, oldest: item.time, bytes: 0 };
      summary.number++;
      summary.oldest = Math.min(summary.oldest, item.time);
      summary.bytes += size;
      classes.set(slab, summary);
    });
    if (bucket !== undefined) return false;
    const sorted = [...classes].sort(([a], [b]) => a - b);
    report(turn, sorted.flatMap(([slab, summary]) => classFields(slab, summary, now, counters)));
    return true;
  });
}

function classFields(
  slab: number,
  { number, oldest, bytes }: ClassSummary,
  now: number,
  counters: Counters,
): Fields {
  const counted = counters.ofClass(slab);
  const fields: Fields = [
    ["number", number],
    ["age", now - oldest],
    ["mem_requested", bytes],
    ["evicted", counted.evicted],
    ["evicted_nonzero", counted.evicted_nonzero],
    ["evicted_time", counted.evicted_time],
    ["outofmemory", counted.outofmemory],
    ["reclaimed", counted.reclaimed],
    ["expired_unfetched", counted.expired_unfetched],
    ["evicted_unfetched", counted.evicted_unfetched],
    ["crawler_reclaimed", counted.crawler_reclaimed],
  ];
  return fields.map(([name, value]) => [`items:${slab}:${name}`, value] as const);
}

/** `stats conns`: the listening socket as number 0, and the connections. */
function conns({ listening, connections, timeline }: ServerState): Fields {
  const { host = "", port, path } = listening;
  const address = host.includes(":") ? `tcp6:[${host}]:${port}` : `tcp:${host}:${port}`;
  const fields: [string, string | number][] = [
    ["0:addr", path === undefined ? address : `unix:${path}`],
    ["0:state", "conn_listening"],
    ["0:secs_since_last_cmd", timeline.uptime],
  ];
  for (const [id, { peer, local, condition, lastCommand }] of connections) {
    fields.push(
      [`${id}:addr`, peer],
      [`${id}:listen_addr`, local],
      [`${id}:state`, condition],
      [`${id}:secs_since_last_cmd`, timeline.now - lastCommand],
    );
  }
  return fields;
}

const REPORTS: Record<string, (state: ServerState) => Fields> = {
  settings: settingsOf,
  conns,
  // This server has no slabs, and memcached does not track sizes either unless it is told to.
  slabs: () => [["active_slabs", 0], ["total_malloced", 0]],
  sizes: () => [["sizes_status", "disabled"]],
};

function stats(turn: Turn, tokens: readonly string[]): void {
  const { state, replies } = turn;
  const topic = tokens[1];
  if (topic === "reset") {
    state.counters.reset();
    return replies.line("RESET");
  }
  if (topic === "cachedump") return replies.line("CLIENT_ERROR stats cachedump not allowed");
  if (topic === "detail") {
    return replies.line("CLIENT_ERROR stats detail is not supported by the embedded server");
  }
  if (topic === "items") return items(turn);
  if (topic === undefined) return report(turn, general(state));
  const fields = Object.hasOwn(REPORTS, topic) ? REPORTS[topic] : undefined;
  if (fields === undefined) return replies.line("ERROR");
  report(turn, fields(state));
}

function report({ replies }: Turn, fields: Fields): void {
  const lines = fields.map(([name, value]) => `STAT ${name} ${value}\r\n`);
  replies.text(`${lines.join("")}END\r\n`);
}

/** `stats` and its topics. */
export const STATS_COMMAND: Command = { name: "stats", tokens: [1, Infinity], run: stats };

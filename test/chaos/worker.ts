/**
 * One process of the load: many callers of one client, which note what they were told. run.ts starts it and reads
 * its report from standard output.
 */
import { channel } from "node:diagnostics_channel";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { Memcached, MemcachedError, PartialError } from "../../mod.ts";
import { presets } from "../../src/hashing/presets.ts";
import { randomFrom } from "./faults.ts";
import type { LateCall, Report, Tally } from "./report.ts";

/** The job that run.ts gives. */
export interface WorkerOptions {
  readonly name: string;
  /** Workers of one group write the same keys. */
  readonly group: string;
  readonly servers: readonly string[];
  readonly protocol: "meta" | "classic";
  readonly failover: "none" | "rehash";
  /** Whether the last server is killed now and then; its keys are not counted. */
  readonly seconds: number;
  readonly seed: number;
}

const TIMEOUT = 500;
const CALLERS = 12;

const options = JSON.parse(process.argv[2] as string) as WorkerOptions;
const { name, group, servers, protocol, failover, seconds } = options;
const random = randomFrom(options.seed);
const client = new Memcached(servers, {
  protocol,
  failover,
  timeout: TIMEOUT,
  connectTimeout: TIMEOUT,
});
const report: { -readonly [K in keyof Report]: Report[K] } & { late: LateCall[] } = {
  worker: name,
  group,
  strayed: false,
  ends: {},
  violations: [],
  increments: {},
  appends: {},
  cas: {},
  adds: {},
  latest: 0,
  late: [],
};

// If both others are down, keys go to the server that is killed now and then, and are lost with it.
const down = new Set<string>();
let strayed = false;
channel("memwire:server").subscribe((message) => {
  const { server, state } = message as { server: { address: string }; state: string };
  if (state === "down") down.add(server.address);
  else down.delete(server.address);
  if (down.size >= servers.length - 1) strayed = true;
});

// How late timers were, and at what time they ran: this is what the machine adds to every deadline.
const lags: { at: number; ms: number }[] = [];
let looked = performance.now();
const lagTimer = setInterval(() => {
  const now = performance.now();
  if (now - looked > 6) lags.push({ at: now, ms: now - looked - 5 });
  while (lags.length > 0 && (lags[0] as { at: number }).at < now - 5_000) lags.shift();
  looked = now;
}, 5);

/**
 * Returns how late timers were at a call's beginning, when its deadline is set, and at its end, together. The event
 * loop was blocked from `at - ms` to `at`: if that had begun when the call was made, its deadline was set afterwards.
 * After the loop was blocked, the client reads for the same time what arrived meanwhile, before it gives up a call.
 */
function lagOf(start: number): number {
  const near = ({ at, ms }: { at: number; ms: number }): boolean =>
    at - ms < start + 100 || at + ms > start + TIMEOUT - 50;
  const seen = lags.filter((lag) => lag.at >= start && near(lag));
  const sum = seen.reduce((total, { ms }) => total + ms, 0);
  return sum + Math.max(0, performance.now() - looked - 5);
}

/** Makes a call, and notes how and when it ended. */
async function call<T>(make: () => Promise<T>): Promise<{ value?: T; error?: MemcachedError }> {
  const start = performance.now();
  let error: unknown;
  let value: T | undefined;
  try {
    value = await make();
  } catch (thrown) {
    error = thrown;
  }
  const late = performance.now() - start - TIMEOUT;
  report.latest = Math.max(report.latest, late);
  const lag = lagOf(start);
  if (late > 50 + 2 * lag) {
    const how = error instanceof MemcachedError ? error.message : String(error ?? "done");
    report.late.push({
      ms: late - 2 * lag,
      call: `a call was ${late.toFixed(0)} ms late, timers ${lag.toFixed(0)}: ${make}: ${how}`,
    });
  }
  const code = error === undefined ? "ok" : error instanceof MemcachedError ? error.code : "?";
  report.ends[code] = (report.ends[code] ?? 0) + 1;
  if (error === undefined) return { value: value as T };
  if (!(error instanceof MemcachedError)) {
    report.violations.push(`an error of no class of ours: ${error}`);
    return { error: new MemcachedError("?", "?", { ambiguous: true }) };
  }
  if (["PROTOCOL", "CORRUPT_VALUE"].includes(error.code)) report.violations.push(`${error}`);
  return { error };
}

function tally(kind: "increments" | "appends" | "cas" | "adds", key: string): Tally {
  return report[kind][key] ??= { acked: [], doubtful: [] };
}

/** Notes a write that must not be lost. */
function note(
  kind: "increments" | "appends" | "cas" | "adds",
  key: string,
  token: string,
  { error }: { error?: MemcachedError },
): void {
  if (error === undefined) tally(kind, key).acked.push(token);
  else if (error.ambiguous) tally(kind, key).doubtful.push(token);
}

const { hashing, idOf } = presets.ketama;
const selector = hashing(servers.map((server) => {
  const [host = "", port] = server.replace(/^.*\//, "").split(":");
  return { id: idOf({ kind: "tcp", host, port: Number(port) }), weight: 1 };
}));

/** Returns a key that goes to the server that is killed now and then only if both others are down. */
function lastingKey(start: string): string {
  for (let i = 0;; i++) {
    const key = `${group}:${start}:${i}`;
    if ([...selector.order(key)].at(-1) === servers.length - 1) return key;
  }
}

const below = (most: number): number => Math.floor(random() * most);
const valueOf = (key: string, n: number): string =>
  `${key}|${name}|${n}|${"x".repeat(n % 7 === 0 ? 20_000 : n % 97)}`;

/** Makes a value for `set` that names its key. */
function checkValue(key: string, value: unknown): void {
  if (value === undefined) return;
  if (typeof value !== "string" || !value.startsWith(`${key}|`)) {
    report.violations.push(`another key's value, or a damaged one, under a key`);
    return;
  }
  const [, , n = "", padding = ""] = value.split("|");
  if (padding.length !== (Number(n) % 7 === 0 ? 20_000 : Number(n) % 97)) {
    report.violations.push("a value of another length");
  }
}

/** Uses own keys: they hold the last stored value, or one whose outcome was ambiguous. */
const own = new Map<string, { acked: string | undefined; doubtful: Set<string> }>();

let counter = 0;
const LOADS: ReadonlyArray<() => Promise<void>> = [
  async () => {
    const key = `${group}:shared:${below(200)}`;
    const { value } = await call(() => client.get(key));
    checkValue(key, value);
  },
  async () => {
    const key = `${group}:shared:${below(200)}`;
    await call(() => client.set(key, valueOf(key, counter++)));
  },
  async () => {
    const keys = Array.from({ length: 1 + below(30) }, () => `${group}:shared:${below(200)}`);
    const { value, error } = await call(() => client.getMany<string>(keys));
    const found = value ??
      (error instanceof PartialError ? error.results as Map<string, string> : []);
    for (const [key, each] of found) checkValue(key, each);
  },
  async () => {
    const key = `${group}:shared:${below(200)}`;
    await call(() => random() < 0.5 ? client.delete(key) : client.touch(key, 600));
    const { value } = await call(() => client.getItem(key));
    checkValue(key, value?.value);
  },
  async () => {
    if (failover !== "none") return;
    const key = lastingKey(`own:${name}:${below(20)}`);
    const state = own.get(key) ?? { acked: undefined, doubtful: new Set() };
    own.set(key, state);
    if (busy.has(key)) return;
    busy.add(key);
    const text = valueOf(key, counter++);
    const stored = await call(() => client.set(key, text));
    if (stored.error === undefined) state.acked = text;
    else if (stored.error.ambiguous) state.doubtful.add(text);
    const read = await call(() => client.get<string>(key));
    if (read.error === undefined) {
      const right = read.value === state.acked ||
        (read.value !== undefined && state.doubtful.has(read.value));
      if (!right) report.violations.push("a key does not hold what was stored last");
    }
    busy.delete(key);
  },
  async () => {
    const key = lastingKey(`count:${below(5)}`);
    note("increments", key, "1", await call(() => client.increment(key, 1, { initial: 1 })));
  },
  async () => {
    const key = lastingKey(`list:${counter >> 9}`);
    const token = `${name}.${counter++}`;
    const appended = await call(() => client.append(key, `${token};`));
    if (appended.value === false) await call(() => client.add(key, "first;"));
    else note("appends", key, token, appended);
  },
  async () => {
    if (failover !== "none") return;
    const key = lastingKey(`cas:${below(3)}`);
    const { value: item, error } = await call(() => client.getItem<{ count: number }>(key));
    if (error !== undefined) return;
    if (item === undefined) {
      note("cas", key, "1", await once(() => client.add(key, { count: 1 })));
    } else {
      const next = { count: item.value.count + 1 };
      note(
        "cas",
        key,
        "1",
        await once(async () => await client.cas(key, next, item.cas) === "stored"),
      );
    }
  },
  async () => {
    const key = lastingKey(`add:${counter++ >> 3}`);
    const token = `${name}.${counter}`;
    note("adds", key, token, await once(() => client.add(key, token)));
  },
];
const busy = new Set<string>();

/** A write that was refused because of the existing value is neither done nor ambiguous. */
async function once(make: () => Promise<boolean>): Promise<{ error?: MemcachedError }> {
  const { value, error } = await call(make);
  if (error !== undefined) return { error };
  return value === true ? {} : { error: new MemcachedError("REFUSED", "it was there") };
}

const end = performance.now() + seconds * 1000;
await Promise.all(Array.from({ length: CALLERS }, async () => {
  while (performance.now() < end) {
    await (LOADS[below(LOADS.length)] as () => Promise<void>)();
    await sleep(below(4));
  }
}));
clearInterval(lagTimer);
await client.close();
report.strayed = strayed && failover === "rehash";
console.log(JSON.stringify(report));

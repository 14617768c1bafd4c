/** The report of a worker, and the check whether all reports can be true together. */
import type { Memcached } from "../../mod.ts";

/** The outcomes of one kind of write to one key: certain, and ambiguous. */
export interface Tally {
  acked: string[];
  doubtful: string[];
}

/** Everything that a worker has done and seen. */
export interface Report {
  readonly worker: string;
  /** The group whose keys it has written. */
  readonly group: string;
  /** Whether writes may have gone to the server that is killed; then the group's are not counted. */
  readonly strayed: boolean;
  /** The number of calls for each outcome: "ok" or an error's code. */
  readonly ends: Record<string, number>;
  /** Impossible results, in words. */
  readonly violations: string[];
  /** Tokens by key, for writes that must not be lost. */
  readonly increments: Record<string, Tally>;
  readonly appends: Record<string, Tally>;
  readonly cas: Record<string, Tally>;
  readonly adds: Record<string, Tally>;
  /** How late the latest call was, in ms. */
  readonly latest: number;
  /** Calls that were later than their deadline and the lateness of timers explain. */
  readonly late: readonly LateCall[];
}

/** A call that was too late. */
export interface LateCall {
  readonly ms: number;
  /** What it was, in words. */
  readonly call: string;
}

// A machine that others use stops a process now and then where no timer shows it. So one call of so many may be
// late, by so many ms.
const CALLS_PER_LATE_ONE = 10_000;
const MOST_LATE_MS = 500;

/** Returns the late calls, if the machine alone cannot be why. */
function judgeLate(reports: readonly Report[]): string[] {
  const late = reports.flatMap((report) => report.late);
  const calls = reports.flatMap(({ ends }) => Object.values(ends)).reduce((a, b) => a + b, 0);
  const bad = late.length > Math.max(1, calls / CALLS_PER_LATE_ONE)
    ? late
    : late.filter(({ ms }) => ms > MOST_LATE_MS);
  return bad.map(({ call }) => call);
}

type Kind = "increments" | "appends" | "cas" | "adds";

/** Joins all workers' outcomes for each key. */
function gather(reports: readonly Report[], kind: Kind): Map<string, Tally> {
  const all = new Map<string, Tally>();
  const strayed = new Set(reports.filter((each) => each.strayed).map(({ group }) => group));
  for (const report of reports) {
    if (strayed.has(report.group)) continue;
    for (const [key, { acked, doubtful }] of Object.entries(report[kind])) {
      const tally = all.get(key) ?? { acked: [], doubtful: [] };
      tally.acked.push(...acked);
      tally.doubtful.push(...doubtful);
      all.set(key, tally);
    }
  }
  return all;
}

/**
 * Compares what the servers hold with what the workers were told. Each of `clients` reads one server, because with
 * failover the writes of a key may be spread over several.
 */
export async function judge(
  reports: readonly Report[],
  clients: readonly Memcached[],
): Promise<string[]> {
  const wrong = reports.flatMap(({ worker, violations }) =>
    violations.map((text) => `${worker}: ${text}`)
  );
  wrong.push(...judgeLate(reports));
  const copies = async (key: string): Promise<unknown[]> => {
    const found = await Promise.all(clients.map((client) => client.get(key, { timeout: 10_000 })));
    return found.filter((value) => value !== undefined);
  };

  for (const [key, { acked, doubtful }] of gather(reports, "increments")) {
    const sum = (await copies(key)).reduce<number>((total, value) => total + Number(value), 0);
    if (sum < acked.length || sum > acked.length + doubtful.length) {
      wrong.push(
        `${key} is ${sum}, incremented ${acked.length} times, ${doubtful.length} ambiguous`,
      );
    }
  }
  for (const [key, { acked, doubtful }] of gather(reports, "cas")) {
    const [value] = await copies(key) as { count: number }[];
    const count = value?.count ?? 0;
    if (count < acked.length || count > acked.length + doubtful.length) {
      wrong.push(`${key} has ${count}, stored ${acked.length} times, ${doubtful.length} ambiguous`);
    }
  }
  for (const [key, { acked, doubtful }] of gather(reports, "appends")) {
    const found = (await copies(key)).flatMap((text) => String(text).split(";").slice(0, -1));
    const counts = new Map<string, number>();
    for (const token of found) counts.set(token, (counts.get(token) ?? 0) + 1);
    const known = new Set(["first", ...acked, ...doubtful]);
    for (const token of acked) {
      if (counts.get(token) !== 1) {
        wrong.push(`${key} has ${token} ${counts.get(token) ?? 0} times`);
      }
    }
    for (const [token, count] of counts) {
      if (!known.has(token)) wrong.push(`${key} has ${token}, which nobody has appended`);
      else if (count > 1 && token !== "first") wrong.push(`${key} has ${token} ${count} times`);
    }
  }
  for (const [key, { acked, doubtful }] of gather(reports, "adds")) {
    const found = await copies(key);
    const allowed = acked.length > 0 ? acked : doubtful;
    if (acked.length > found.length) {
      wrong.push(`${key} was added ${acked.length} times and is there ${found.length} times`);
    }
    for (const value of found) {
      if (![...allowed, ...doubtful].includes(String(value))) {
        wrong.push(`${key} is not what was added`);
      }
    }
  }
  return wrong;
}

/** Prints the tables. */
import type { Result } from "./child.ts";
import type { Curve, Workload } from "./workloads.ts";

/** One workload's rounds, by contender. */
export interface Measured {
  readonly workload: Workload;
  readonly results: ReadonlyMap<string, readonly Result[]>;
}

/** Rounds that differ by more than this are not reliable. */
const MOST_SPREAD = 1.2;

/** Returns the median. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] as number) + upper) / 2;
}

/** Joins the slices of a round, which all took the same time. */
export function joined(slices: readonly Result[]): Result {
  const [first] = slices as [Result];
  const speed = slices.reduce((sum, { opsPerSecond }) => sum + opsPerSecond, 0);
  const cpu = slices.reduce((sum, one) => sum + one.cpuMicrosPerOp * one.opsPerSecond, 0);
  return {
    ...first,
    opsPerSecond: speed / slices.length,
    cpuMicrosPerOp: cpu / speed,
    rssMiB: Math.max(...slices.map(({ rssMiB }) => rssMiB)),
  };
}

/** Returns the medians of one contender's rounds; undefined if it cannot do the workload. */
export function medians(rounds: readonly Result[] | undefined): Result | undefined {
  if (rounds === undefined) return undefined;
  return {
    able: true,
    opsPerSecond: median(rounds.map(({ opsPerSecond }) => opsPerSecond)),
    cpuMicrosPerOp: median(rounds.map(({ cpuMicrosPerOp }) => cpuMicrosPerOp)),
    rssMiB: Math.max(...rounds.map(({ rssMiB }) => rssMiB)),
    ...(rounds[0]?.p99 === undefined ? {} : {
      p50: median(rounds.map(({ p50 = 0 }) => p50)),
      p99: median(rounds.map(({ p99 = 0 }) => p99)),
    }),
  };
}

/** Compares memwire's CPU per call with another's: the median of the rounds' ratios, if they agree. */
function cpuRatio(own: readonly Result[], other: readonly Result[] | undefined): string {
  if (other === undefined) return "";
  const ratios = own.map((round, i) => round.cpuMicrosPerOp / (other[i] as Result).cpuMicrosPerOp);
  return spread(ratios) > MOST_SPREAD ? "withheld" : median(ratios).toFixed(2);
}

function spread(values: readonly number[]): number {
  return Math.max(...values) / Math.min(...values);
}

const NOT_MEMCACHED = new Set([
  "floor",
  "memwire",
  "base",
  "c",
  "ioredis",
  "redis",
  "connect-redis",
]);

const HEADS = [
  "workload",
  "floor op/s",
  "memwire op/s",
  "of the floor",
  "asked",
  "CPU us/op (floor, C)",
  "CPU to C",
  "CPU to base",
  "MiB",
  "best peer",
  "times it",
  "others",
];

/**
 * Makes one line for each workload: throughput, CPU, memory, and the ratios to the floor and to the best memcached
 * peer. A line with `~` has rounds that differ by more than a fifth. A ratio of CPU whose pairs do is left out.
 */
export function table(measured: readonly Measured[], column: number): string {
  const lines = [`| ${HEADS.join(" | ")} |`, `|${"---|".repeat(HEADS.length)}`];
  for (const { workload, results } of measured) {
    const rounds = results.get("memwire");
    const own = medians(rounds);
    if (rounds === undefined || own === undefined) continue;
    const floor = medians(results.get("floor"));
    const c = medians(results.get("c"));
    const others = [...results.keys()].filter((name) =>
      !["floor", "memwire", "base", "c"].includes(name)
    )
      .map((name) => [name, medians(results.get(name)) as Result] as const);
    others.sort(([, a], [, b]) => b.opsPerSecond - a.opsPerSecond);
    const best = others.find(([name]) => !NOT_MEMCACHED.has(name));
    const asked = workload.target?.[column];
    const busy = spread(rounds.map(({ opsPerSecond }) => opsPerSecond)) > MOST_SPREAD;
    const cpus = [floor, c].flatMap((one) =>
      one === undefined ? [] : [one.cpuMicrosPerOp.toFixed(2)]
    );
    lines.push(
      "| " + [
        workload.name + (busy ? " ~" : ""),
        floor === undefined ? "" : thousands(floor.opsPerSecond),
        thousands(own.opsPerSecond),
        floor === undefined ? "" : (own.opsPerSecond / floor.opsPerSecond).toFixed(2),
        asked === undefined || asked === 0 ? "" : asked.toFixed(2),
        own.cpuMicrosPerOp.toFixed(2) + (cpus.length === 0 ? "" : ` (${cpus.join(", ")})`),
        cpuRatio(rounds, results.get("c")),
        cpuRatio(rounds, results.get("base")),
        own.rssMiB.toFixed(0),
        best === undefined ? "" : `${best[0]} ${thousands(best[1].opsPerSecond)}`,
        best === undefined ? "" : times(own, best[1]),
        others.filter((other) => other !== best).map(([name, result]) =>
          `${name} ${times(own, result)}`
        )
          .join(", "),
      ].join(" | ") + " |",
    );
  }
  return lines.join("\n");
}

/** Prints how long one operation takes, of the workloads that ask for it. */
export function latencyTable(measured: readonly Measured[]): string {
  const lines = ["| workload | contender | p50 ms | p99 ms |", "|---|---|---|---|"];
  for (const { workload, results } of measured) {
    for (const [name, rounds] of results) {
      const { p50, p99 } = medians(rounds)!;
      if (p50 === undefined || p99 === undefined) continue;
      lines.push(`| ${workload.name} | ${name} | ${p50.toFixed(2)} | ${p99.toFixed(2)} |`);
    }
  }
  return lines.length === 2 ? "" : lines.join("\n");
}

/** Prints how cost grows with one thing that doubles from row to row. */
export function curveTable(
  { what, operations = () => 1 }: Curve,
  measured: readonly Measured[],
): string {
  const lines = [`| ${what} | op/s | CPU us/op | cost, of the row before |`, "|---|---|---|---|"];
  let before: number | undefined;
  for (const { workload, results } of measured) {
    const { opsPerSecond, cpuMicrosPerOp } = medians(results.get("memwire")) as Result;
    const cost = cpuMicrosPerOp * operations(workload);
    const growth = before === undefined ? "" : (cost / before).toFixed(2);
    lines.push(
      `| ${workload.name} | ${thousands(opsPerSecond)} | ${
        cpuMicrosPerOp.toFixed(2)
      } | ${growth} |`,
    );
    before = cost;
  }
  return lines.join("\n");
}

function times(own: Result, other: Result): string {
  return `${(own.opsPerSecond / other.opsPerSecond).toFixed(1)}x`;
}

function thousands(value: number): string {
  return value >= 10_000 ? `${Math.round(value / 1000)}k` : `${(value / 1000).toFixed(1)}k`;
}

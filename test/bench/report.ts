/** The tables. */
import type { Result } from "./child.ts";
import type { Curve, Workload } from "./workloads.ts";

/** One workload's medians, by contender. */
export interface Measured {
  readonly workload: Workload;
  readonly results: ReadonlyMap<string, Result>;
}

/** The middle of the values. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] as number) + upper) / 2;
}

const NOT_MEMCACHED = new Set(["floor", "memwire", "ioredis", "redis", "connect-redis"]);

/** One line a workload: throughput, CPU, memory, ratio to the floor and to the best memcached peer. */
export function table(measured: readonly Measured[], column: number): string {
  const lines = [
    "| workload | floor op/s | memwire op/s | of the floor | asked | CPU us/op | MiB | best peer | times it | others |",
    "|---|---|---|---|---|---|---|---|---|---|",
  ];
  for (const { workload, results } of measured) {
    const floor = results.get("floor");
    const own = results.get("memwire");
    if (own === undefined) continue;
    const peers = [...results].filter(([name]) => !NOT_MEMCACHED.has(name));
    peers.sort(([, a], [, b]) => b.opsPerSecond - a.opsPerSecond);
    const [best] = peers;
    const others = [...results].filter(([name]) => name !== best?.[0])
      .filter(([name]) => name !== "floor" && name !== "memwire")
      .map(([name, result]) => `${name} ${times(own, result)}`);
    const asked = workload.target?.[column];
    lines.push(
      "| " + [
        workload.name,
        floor === undefined ? "" : thousands(floor.opsPerSecond),
        thousands(own.opsPerSecond),
        floor === undefined ? "" : (own.opsPerSecond / floor.opsPerSecond).toFixed(2),
        asked === undefined || asked === 0 ? "" : asked.toFixed(2),
        `${own.cpuMicrosPerOp.toFixed(2)}${
          floor === undefined ? "" : ` (${floor.cpuMicrosPerOp.toFixed(2)})`
        }`,
        own.rssMiB.toFixed(0),
        best === undefined ? "" : `${best[0]} ${thousands(best[1].opsPerSecond)}`,
        best === undefined ? "" : times(own, best[1]),
        others.join(", "),
      ].join(" | ") + " |",
    );
  }
  return lines.join("\n");
}

/** Cost against one thing that doubles from row to row. */
export function curveTable(
  { what, operations = () => 1 }: Curve,
  measured: readonly Measured[],
): string {
  const lines = [`| ${what} | op/s | CPU us/op | cost, of the row before |`, "|---|---|---|---|"];
  let before: number | undefined;
  for (const { workload, results } of measured) {
    const { opsPerSecond, cpuMicrosPerOp } = results.get("memwire") as Result;
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

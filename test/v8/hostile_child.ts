/**
 * Decodes every bomb and prints a JSON line for each: the outcome, milliseconds, megabytes. It is a process of
 * its own, so that it can be given a small heap and can crash.
 */
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { deserialize } from "../../src/v8/mod.ts";
import { bombs, megabytes } from "./bombs.ts";

/** How decoding a bomb ended. */
export interface Outcome {
  readonly name: string;
  /** The error's `code`, its class if it has none, or "value". */
  readonly result: string;
  readonly ms: number;
  readonly mb: number;
}

function memory(): { now: number; peak: number } {
  try {
    const status = readFileSync("/proc/self/status", "utf8");
    const kilobytes = (field: string): number => Number(status.match(`${field}:\\s+(\\d+)`)?.[1]);
    return { now: kilobytes("VmRSS") / 1024, peak: kilobytes("VmHWM") / 1024 };
  } catch { // no Linux: what is in use afterwards instead of the peak
    const now = process.memoryUsage().rss / 2 ** 20;
    return { now, peak: now };
  }
}

function resetPeak(): void {
  try {
    writeFileSync("/proc/self/clear_refs", "5");
  } catch { /* no Linux */ }
}

function run(name: string, bytes: Uint8Array): Outcome {
  resetPeak();
  const before = memory().now;
  const start = process.cpuUsage();
  let result = "value";
  try {
    deserialize(bytes);
  } catch (error) {
    const { code, name } = error as { code?: string; name: string };
    result = code ?? name;
  }
  const { user, system } = process.cpuUsage(start);
  const ms = (user + system) / 1000; // of the processor, because others may have it meanwhile
  return { name, result, ms, mb: memory().peak - before };
}

deserialize(Uint8Array.of(0xff, 0x0f, 0x30));
for (const [name, bytes] of Object.entries({ ...bombs, ...megabytes })) {
  let outcome = run(name, bytes);
  // It may have been slow because a collection of garbage or a compilation fell into it.
  for (let tries = 0; tries < 3 && outcome.ms > 40; tries++) {
    const { ms } = run(name, bytes);
    outcome = { ...outcome, ms: Math.min(ms, outcome.ms) };
  }
  console.log(JSON.stringify(outcome));
}

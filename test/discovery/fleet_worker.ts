/**
 * A process that reads and writes all the time while its servers change: run by fleet.test.ts. For each line on
 * stdin it prints what has happened since the last one, and where its keys belong now.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { Memcached } from "../../mod.ts";
import { dns, elasticache } from "../../src/discovery/mod.ts";

/** A worker's report. */
export interface Report {
  readonly calls: number;
  /** Values that were neither absent nor the last that this process stored. */
  readonly wrong: number;
  /** Keys whose calls were rejected, with the code of the last error. */
  readonly failed: Readonly<Record<string, string>>;
  /** The id of each key's server. */
  readonly places: Readonly<Record<string, string>>;
}

const [kind, target = "", name = "", prefix = ""] = process.argv.slice(2);
const interval = 0.2;
const client = new Memcached(
  kind === "srv"
    ? dns(name, { nameservers: [target], interval })
    : elasticache(target, { interval }),
  { timeout: 20_000, connectTimeout: 20_000 },
);
const KEYS = Array.from({ length: 1000 }, (_, i) => `${prefix}:${i}`);
const stored = new Map<string, number>();
let calls = 0;
let wrong = 0;
let failed: Record<string, string> = {};
let over = false;

async function use(key: string, n: number): Promise<void> {
  calls++;
  try {
    const before = stored.get(key);
    // Nobody knows whether a write was done if its reply is lost.
    stored.delete(key);
    const found = await client.get<number>(key);
    if (found !== undefined && before !== undefined && found !== before) wrong++;
    await client.set(key, n);
    stored.set(key, n);
  } catch (error) {
    failed[key] = (error as { code: string }).code;
  }
}

const lines = createInterface({ input: process.stdin });
lines.on("line", () => {
  const places = Object.fromEntries(KEYS.map((key) => [key, client.serverFor(key).id]));
  const report: Report = { calls, wrong, failed, places };
  process.stdout.write(`${JSON.stringify(report)}\n`);
  calls = 0;
  failed = {};
});
lines.on("close", () => over = true);

for (let round = 0; !over; round++) {
  const keys = KEYS.filter((_, i) => i % 10 === round % 10);
  await Promise.all(keys.map((key) => use(key, round)));
  await new Promise((resolve) => setTimeout(resolve, 1));
}
await client.close();

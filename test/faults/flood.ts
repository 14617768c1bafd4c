/**
 * Floods a server that has stopped reading with writes, in a process of its own, and prints how the calls ended
 * and how much memory was used:
 *
 *     flood.ts ADDRESS DIALECT CALLS PER-TICK BYTES
 */
import process from "node:process";
import { setImmediate } from "node:timers";
import { setTimeout as sleep } from "node:timers/promises";
import { Memcached } from "../../mod.ts";

/** The printed result, as JSON. */
export interface Flooded {
  /** How many calls ended with each code. */
  readonly ends: Readonly<Record<string, number>>;
  /** The largest growth of memory while calls were made, in megabytes. */
  readonly grown: number;
  /** The most megabytes that buffers took. */
  readonly buffers: number;
  /** The results of the next calls, after all others had ended. */
  readonly next: string;
}

const [address = "", dialect, ...numbers] = process.argv.slice(2);
const [calls = 0, perTick = 0, bytes = 0] = numbers.map(Number);
const client = new Memcached(address, {
  protocol: dialect as "meta" | "classic",
  timeout: 1_000,
});
const value = "v".repeat(bytes);
const ends: Record<string, number> = {};
let left = calls;
let grown = 0;
let buffers = 0;

const ended = (code: string): void => {
  ends[code] = (ends[code] ?? 0) + 1;
  left--;
};
const resolved = (): void => ended("resolved");
const rejected = (error: { code: string }): void => ended(error.code);

await client.set("first", value, { timeout: 20_000 }); // the server stops reading after this
await sleep(50);
const before = process.memoryUsage().rss;
const measure = (): void => {
  const now = process.memoryUsage();
  grown = Math.max(grown, (now.rss - before) / 1e6);
  buffers = Math.max(buffers, now.arrayBuffers / 1e6);
};
for (let made = 0; made < calls;) {
  for (let i = 0; i < perTick && made < calls; i++, made++) {
    client.set(`key-${made}`, value).then(resolved, rejected);
  }
  if (made % 5_000 < perTick) measure();
  await new Promise((resolve) => setImmediate(resolve));
}
while (left > 0) {
  measure();
  await sleep(20);
}
const next = await client.get("first").then(String, (error) => error.code as string);
await client.close();
console.log(JSON.stringify({ ends, grown, buffers, next } satisfies Flooded));

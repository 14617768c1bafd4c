/**
 * Measures what `compressAbove` costs and saves, for 10 KiB of JSON as text and as an object, with and without it.
 *
 *     npm run bench:compression
 *     node --import tsx test/bench/compression.ts --ms 500 --rounds 5
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { Memcached, type MemcachedOptions } from "../../mod.ts";
import { startMemcached } from "../support/memcached.ts";
import { closedLoop } from "./contender.ts";
import { median } from "./report.ts";

const { values } = parseArgs({
  options: { ms: { type: "string", default: "500" }, rounds: { type: "string", default: "5" } },
});
const ms = Number(values.ms);
const rounds = Number(values.rounds);
const IN_FLIGHT = 20;

/** Makes a list of goods with so many bytes of JSON. As in real data, names repeat and numbers do not. */
function goods(bytes: number): object[] {
  const list: object[] = [];
  for (let i = 0; JSON.stringify(list).length < bytes; i++) {
    list.push({
      id: i * 7919,
      name: `Article number ${i}`,
      price: (i * 1009 % 10_000) / 100,
      tags: ["tea", i % 2 === 0 ? "green" : "black"],
      sku: (i * 2654435761 >>> 0).toString(36),
    });
  }
  return list;
}

interface Measured {
  readonly callsPerSecond: number;
  readonly cpuMicros: number;
}

async function measure(call: (i: number) => Promise<unknown>): Promise<Measured> {
  const loop = closedLoop(IN_FLIGHT, call, () => undefined);
  const results: Measured[] = [];
  await loop.run(ms / 2);
  for (let i = 0; i < rounds; i++) {
    const before = process.cpuUsage();
    const begun = performance.now();
    const done = await loop.run(ms);
    const seconds = (performance.now() - begun) / 1000;
    const { user, system } = process.cpuUsage(before);
    results.push({ callsPerSecond: done / seconds, cpuMicros: (user + system) / done });
  }
  return {
    callsPerSecond: median(results.map((result) => result.callsPerSecond)),
    cpuMicros: median(results.map((result) => result.cpuMicros)),
  };
}

const server = await startMemcached({ args: ["-m", "256"] });
const list = goods(10 * 1024);
const rows: string[][] = [[
  "value",
  "compressAbove",
  "bytes of the value",
  "set/s",
  "us",
  "get/s",
  "us",
]];
for (const [name, value] of [["JSON text", JSON.stringify(list)], ["object", list]] as const) {
  for (const compressAbove of [undefined, 1000]) {
    const options: MemcachedOptions = { compressAbove };
    const key = (i: number): string => `k${i % 1000}`;
    const writer = new Memcached(server.address, options);
    await writer.setMany(Array.from({ length: 1000 }, (_, i) => [key(i), value]));
    const raw = new Memcached(server.address, {
      serializer: {
        serialize: (): never => undefined as never,
        deserialize: (data) => data.length,
      },
    });
    const bytes = await raw.get<number>(key(0));
    await raw.close();
    const set = await measure((i) => writer.set(key(i), value));
    const get = await measure((i) => writer.get(key(i)));
    await writer.close();
    rows.push([
      name,
      compressAbove === undefined ? "none" : String(compressAbove),
      String(bytes),
      ...[set, get].flatMap(({ callsPerSecond, cpuMicros }) => [
        Math.round(callsPerSecond).toLocaleString("en"),
        cpuMicros.toFixed(0),
      ]),
    ]);
  }
}
await server.stop();
for (const row of rows) {
  console.log(row.map((cell, i) => i < 1 ? cell.padEnd(10) : cell.padStart(19)).join(""));
}
process.exit(0);

/**
 * Measures the hashings: how long it takes to build a list of servers and to look up a key, how many keys move if
 * a server is added or removed, and how evenly the keys are spread. It prints two tables.
 *
 *     node --import tsx test/bench/hashing.ts      # or deno run, or bun
 */
import type { HashingName, HashServer, Selector } from "../../src/hashing/hashing.ts";
import { presets } from "../../src/hashing/presets.ts";

const NAMES = Object.keys(presets) as HashingName[];
const SIZES = [1, 10, 100, 1000];
const SPREAD_SIZES = [3, 10, 100];
const SPREAD_KEYS = 100_000;

/** Makes this many keys like those of sessions. */
function keysOf(count: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    const id = Math.imul(i + 1, 0x9e3779b1) >>> 0;
    return `WebwareSession${id.toString(36).padStart(7, "0")}${i}`;
  });
}

function serversOf(name: HashingName, count: number): HashServer[] {
  return Array.from({ length: count }, (_, i) => {
    const host = `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
    return {
      id: presets[name].idOf({ kind: "tcp", host, port: 11211 }),
      weight: 1,
    };
  });
}

function median(times: number[]): number {
  return times.sort((a, b) => a - b)[times.length >> 1] as number;
}

/** Measures the median time of a build, in ms. */
function buildTime(name: HashingName, servers: readonly HashServer[]): number {
  return median(Array.from({ length: servers.length < 1000 ? 15 : 7 }, () => {
    const start = performance.now();
    presets[name].hashing(servers);
    return performance.now() - start;
  }));
}

/** The results go here, so that the engine cannot optimize the lookups away. */
export let sink = 0;

/** Measures the median time of a lookup over rounds of different keys, in ns. */
function lookupTime(selector: Selector, slow: boolean): number {
  const keys = keysOf(slow ? 100 : 2000);
  return median(Array.from({ length: slow ? 21 : 101 }, () => {
    const start = performance.now();
    for (const key of keys) sink ^= selector.pick(key);
    return (performance.now() - start) * 1e6 / keys.length;
  }));
}

/** Returns the id of each key's server. */
function placesOf(
  name: HashingName,
  servers: readonly HashServer[],
  keys: string[],
): string[] {
  const selector = presets[name].hashing(servers);
  return keys.map((key) => (servers[selector.pick(key)] as HashServer).id);
}

function differing(one: readonly string[], other: readonly string[]): number {
  return one.filter((place, i) => place !== other[i]).length / one.length;
}

/** Returns how many keys the fullest server has, compared with the average. */
function spreadOf(places: readonly string[], servers: number): number {
  const counts = new Map<string, number>();
  for (const place of places) counts.set(place, (counts.get(place) ?? 0) + 1);
  return Math.max(...counts.values()) / (places.length / servers);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)}%`;
}

function time(value: number, unit: string): string {
  return `${value.toFixed(value < 10 ? 2 : 0)} ${unit}`;
}

/** Aligns the first column to the left and the others to the right. */
function table(title: string, rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] as string[]).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] as string).length))
  );
  const lines = rows.map((row) =>
    row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0] as number) : cell.padStart(widths[column] as number)
    ).join("  ")
  );
  return [title, ...lines, ""].join("\n");
}

function timesTable(): string {
  const heads = SIZES.flatMap((size) => [`build ${size}`, `pick ${size}`]);
  return table(
    "Build of a list of servers and lookup of a key in it, medians",
    [
      ["", ...heads],
      ...NAMES.map((name) => [
        name,
        ...SIZES.flatMap((size) => {
          const servers = serversOf(name, size);
          const slow = name === "rendezvous" && size >= 100;
          return [
            time(buildTime(name, servers), "ms"),
            time(lookupTime(presets[name].hashing(servers), slow), "ns"),
          ];
        }),
      ]),
    ],
  );
}

function spreadTable(): string {
  const keys = keysOf(SPREAD_KEYS);
  const heads = SPREAD_SIZES.flatMap((
    size,
  ) => [`+1 of ${size}`, `-1 of ${size}`, `max/mean`]);
  const ideals = SPREAD_SIZES.flatMap((
    size,
  ) => [percent(1 / (size + 1)), percent(1 / size), "1.00"]);
  return table(
    "Keys that move when a server comes or goes, and the fullest server",
    [
      ["", ...heads],
      ["(ideal)", ...ideals],
      ...NAMES.map((name) => [
        name,
        ...SPREAD_SIZES.flatMap((size) => {
          const servers = serversOf(name, size);
          const places = placesOf(name, servers, keys);
          const more = placesOf(name, serversOf(name, size + 1), keys);
          const fewer = placesOf(name, servers.toSpliced(size >> 1, 1), keys);
          return [
            percent(differing(places, more)),
            percent(differing(places, fewer)),
            spreadOf(places, size).toFixed(2),
          ];
        }),
      ]),
    ],
  );
}

console.log(timesTable());
console.log(spreadTable());

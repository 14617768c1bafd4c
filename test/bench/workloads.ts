/** What is measured: the work of one operation, how many are in flight, and what it is called. */
import process from "node:process";

/** One row of the table. */
export interface Workload {
  readonly name: string;
  readonly kind: "get" | "fetch" | "set" | "getMany" | "session" | "withSession";
  /** Bytes of a value. */
  readonly size: number;
  /** Strings or Uint8Arrays. */
  readonly value: "text" | "bytes";
  readonly inFlight: number;
  /** memcached servers. Default 1. */
  readonly servers?: number;
  /** Keys of one getMany. Default 100. */
  readonly keys?: number;
  /** Default "meta". */
  readonly dialect?: "meta" | "classic";
  /** Of the floor, asked of memwire: in Node, Deno, Bun. */
  readonly target?: readonly [node: number, deno: number, bun: number];
}

const KiB = 1024;

/** The rows that have a target, then the curves. */
export const workloads: readonly Workload[] = [
  row("get", 100, "text", 1, [0.95, 0.95, 0.85]),
  row("get", 100, "text", 100, [0.85, 0.65, 0.85]),
  row("get", 100, "bytes", 100, [0.7, 0.55, 0.85]),
  row("get", 100, "text", 1000, [0.8, 0.85, 0.95]),
  row("get", 100, "bytes", 1000, [0.7, 0.65, 0.95]),
  // Hits, on distinct keys; its floor is that of get.
  row("fetch", 100, "text", 1),
  row("fetch", 100, "text", 100),
  row("set", 100, "text", 1),
  row("set", 100, "text", 100, [0.85, 0.7, 0.9]),
  row("set", 100, "text", 1000),
  row("set", 4 * KiB, "text", 50, [1.1, 0.95, 1.1]),
  row("get", 4 * KiB, "text", 50, [0.8, 0.75, 0.6]),
  row("get", 4 * KiB, "bytes", 50, [0.6, 0.6, 0.6]),
  row("get", 256 * KiB, "bytes", 4, [0.75, 0.95, 0.6]),
  row("getMany", 100, "text", 2, [0.7, 0.65, 0.7]),
  // Its floor is the meta one: a classic floor of lone gets is the server's own limit.
  {
    ...row("get", 100, "text", 100),
    name: "classic get 100 B, 100",
    dialect: "classic",
    target: [0.75, 0, 0],
  },
  {
    ...row("get", 100, "text", 100),
    name: "get 100 B, 100, four servers",
    servers: 4,
  },
  {
    ...row("session", 300, "text", 100),
    name: "session load, change, save, 100",
  },
  {
    ...row("withSession", 300, "text", 100),
    name: "withSession: a request that changes its session, 100",
  },
];

/** One thing that doubles from row to row. */
export interface Curve {
  readonly what: string;
  readonly rows: readonly Workload[];
  /** Operations whose cost is compared; default 1. */
  readonly operations?: (workload: Workload) => number;
}

/** How cost grows with one thing at a time: never more than it does itself. */
export const curves: readonly Curve[] = [
  {
    what: "requests in flight",
    rows: doublings(1, 2048).map((n) => row("get", 100, "text", n)),
    operations: ({ inFlight }) => inFlight,
  },
  { what: "bytes of a value", rows: doublings(100, 6400).map((n) => row("get", n, "bytes", 100)) },
  {
    what: "keys of a getMany",
    rows: doublings(25, 800).map((keys) => ({
      ...row("getMany", 100, "text", 2),
      name: `getMany of ${keys} 100 B, 2`,
      keys,
    })),
  },
  {
    what: "servers",
    rows: doublings(1, 8).map((servers) => ({
      ...row("get", 100, "text", 100),
      name: `get 100 B, 100, ${servers} servers`,
      servers,
    })),
  },
];

function doublings(first: number, last: number): number[] {
  const list: number[] = [];
  for (let n = first; n <= last; n *= 2) list.push(n);
  return list;
}

function row(
  kind: Workload["kind"],
  size: number,
  value: Workload["value"],
  inFlight: number,
  target?: readonly [number, number, number],
): Workload {
  const what = size % KiB === 0 ? `${size / KiB} KiB` : `${size} B`;
  const many = kind === "getMany" ? " of 100" : "";
  const name = `${kind}${many} ${what}${value === "bytes" ? " bytes" : ""}, ${inFlight}`;
  return {
    name,
    kind,
    size,
    value,
    inFlight,
    ...(target === undefined ? {} : { target }),
  };
}

/** All that can be measured, by name. */
export const CONTENDERS = [
  "floor",
  "memwire",
  "c",
  "memcache",
  "memjs",
  "memcached",
  "memcache-client",
  "ioredis",
  "redis",
  "connect-redis",
  "connect-memcached",
] as const;

// Each contender has keys of its own, for they store the same values under different flags.
const own = CONTENDERS.findIndex((name) => name === process.argv[2]) + 1;

/** Keys of 27 bytes, as sessions have them; few of large values, so that none is evicted. */
export function keysOf({ size }: Workload): string[] {
  const count = size > 64 * KiB ? 32 : 1000;
  return Array.from(
    { length: count },
    (_, i) => `bench:key${own}${String(i).padStart(17, "0")}`,
  );
}

/** Those of one getMany. */
export function manyKeysOf(workload: Workload): string[] {
  return keysOf(workload).slice(0, workload.keys ?? 100);
}

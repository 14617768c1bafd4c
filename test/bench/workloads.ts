/** What is measured: the work of one operation, how many are in flight, and the name. */
import process from "node:process";

/** One row of the table. */
export interface Workload {
  readonly name: string;
  readonly kind: "get" | "fetch" | "set" | "getMany" | "session" | "withSession" | "beside";
  /** The bytes of a value. */
  readonly size: number;
  /** Whether values are strings or Uint8Arrays. */
  readonly value: "text" | "bytes";
  readonly inFlight: number;
  /** How many memcached servers there are. Default 1. */
  readonly servers?: number;
  /** How many keys one getMany has. Default 100. */
  readonly keys?: number;
  /** The dialect. Default "meta". */
  readonly dialect?: "meta" | "classic";
  /** The share of the floor that memwire must reach in Node, Deno and Bun. */
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
  // Hits on distinct keys. Its floor is that of get.
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
  // How long a get takes that waits behind large values on its connection.
  { ...row("beside", 100, "text", 4), name: "get 100 B beside gets of 256 KiB, 4" },
  // Its floor is the meta one, because a classic floor of single gets is limited by the server.
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

/** Rows in which one thing doubles. */
export interface Curve {
  readonly what: string;
  readonly rows: readonly Workload[];
  /** The operations whose cost is compared. Default 1. */
  readonly operations?: (workload: Workload) => number;
}

/** The curves that show how cost grows with one thing at a time: never faster than that thing. */
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

/** Everything that can be measured, by name. */
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

// Each contender has its own keys, because they store the same values under different flags.
const own = CONTENDERS.findIndex((name) => name === process.argv[2]) + 1;

/** The size of the large values of "beside". */
export const LARGE_BYTES: number = 256 * KiB;

/** Returns the keys of the large values of "beside". */
export function largeKeysOf(workload: Workload): string[] {
  return keysOf({ ...workload, size: LARGE_BYTES }).map((key) => `${key}-large`);
}

/** Makes keys of 27 bytes, as sessions have them; few if values are large, so that none is evicted. */
export function keysOf({ size }: Workload): string[] {
  const count = size > 64 * KiB ? 32 : 1000;
  return Array.from(
    { length: count },
    (_, i) => `bench:key${own}${String(i).padStart(17, "0")}`,
  );
}

/** Returns the keys of one getMany. */
export function manyKeysOf(workload: Workload): string[] {
  return keysOf(workload).slice(0, workload.keys ?? 100);
}

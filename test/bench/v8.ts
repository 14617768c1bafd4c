/**
 * Compares the codec with `node:v8` and `JSON`, on sessions. All take turns in short slices, and all slices of each
 * count, because each must collect its own garbage now and then. So the ratios are reliable even on a busy machine.
 *
 *     node --import tsx test/bench/v8.ts [rounds [mixed | small | 2KB | 50KB]...]
 *     deno run -A test/bench/v8.ts, bun test/bench/v8.ts
 *
 * "encode" is what the client uses: it returns a view on the codec's buffer. "serialize" copies the bytes.
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import v8 from "node:v8";
import { decode, encode } from "../../src/v8/codec.ts";
import { serialize } from "../../src/v8/mod.ts";
import { largeSession, mediumSession, mixedSessions, smallSession } from "./v8_sessions.ts";

const ROUNDS = Number(process.argv[2] ?? 20);
const SLICE_MS = 50;
const WARM_UP = 6;

/** Does the work once for each of the values. */
type Work = () => void;

let sink: unknown;

/** How many values were handled in how many ms. */
interface Count {
  values: number;
  ms: number;
}

/** Does the work for a slice of time. */
function slice(work: Work, values: number, count: Count): void {
  const start = performance.now();
  let elapsed = 0;
  while (elapsed < SLICE_MS) {
    work();
    count.values += values;
    elapsed = performance.now() - start;
  }
  count.ms += elapsed;
}

/** Measures how many values each handles in a second. */
function race(works: Record<string, Work>, values: number): Record<string, number> {
  const names = Object.keys(works);
  const counts: Record<string, Count> = {};
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    for (const name of names) {
      if (round <= 0) counts[name] = { values: 0, ms: 0 };
      slice(works[name] as Work, values, counts[name] as Count);
    }
    names.push(names.shift() as string); // so that none always runs after the same one
  }
  return Object.fromEntries(
    Object.entries(counts).map(([name, { values, ms }]) => [name, values / ms * 1000]),
  );
}

function each<T>(list: readonly T[], use: (item: T) => unknown): Work {
  return () => {
    for (const item of list) sink = use(item);
  };
}

function print(title: string, speeds: Record<string, number>, ours: readonly string[]): void {
  const of = (name: string): number => speeds[name] as number;
  const all = Object.keys(speeds).map((name) => `${name} ${(of(name) / 1000).toFixed(1)}`);
  const ratios = ours.map((name) =>
    `${name} is ${(of(name) / of("node:v8")).toFixed(2)} of node:v8, ` +
    `${(of(name) / of("JSON")).toFixed(2)} of JSON`
  );
  console.log(`  ${[title, ...all].join("  ").padEnd(70)}${ratios.join("; ")}`);
}

function bench(title: string, sessions: readonly unknown[]): void {
  const ours = sessions.map((session) => Buffer.from(serialize(session)));
  const theirs = sessions.map((session) => v8.serialize(session));
  const json = sessions.map((session) => Buffer.from(JSON.stringify(session)));
  const bytes = ours.reduce((sum, { length }) => sum + length, 0) /
    sessions.length;
  console.log(
    `${title}: ${sessions.length} of ${bytes.toFixed(0)} bytes; thousands a second`,
  );
  const encoding = race({
    encode: each(sessions, (session) => encode(session)),
    serialize: each(sessions, (session) => serialize(session)),
    "node:v8": each(sessions, (session) => v8.serialize(session)),
    JSON: each(sessions, (session) => Buffer.from(JSON.stringify(session))),
  }, sessions.length);
  print("write:", encoding, ["encode", "serialize"]);
  const decoding = race({
    decode: each(ours, (bytes) => decode(bytes, 0, bytes.length)),
    "node:v8": each(theirs, (bytes) => v8.deserialize(bytes)),
    JSON: each(json, (bytes) => JSON.parse(bytes.toString())),
  }, sessions.length);
  print("read:", decoding, ["decode"]);
}

const sets: Readonly<Record<string, () => unknown[]>> = {
  mixed: mixedSessions,
  small: () => [smallSession()],
  "2KB": () => [mediumSession()],
  "50KB": () => [largeSession()],
};
const [, , , ...names] = process.argv;
for (const [name, make] of Object.entries(sets)) {
  if (names.length === 0 || names.includes(name)) bench(name, make());
}
if (sink === undefined) throw new Error("nothing was measured");

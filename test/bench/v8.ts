/**
 * The codec against `node:v8` and `JSON`, on sessions. Ratios are of throughput, the median of rounds in
 * which all take turns, so that a busy machine slows them alike.
 *
 *     node --import tsx test/bench/v8.ts [rounds] | node24 ... | deno run -A ... | bun ...
 *
 * "encode" is what the client uses, a view on the codec's buffer; "serialize" copies it out.
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import v8 from "node:v8";
import { decode, encode } from "../../src/v8/codec.ts";
import { deserialize, serialize } from "../../src/v8/mod.ts";
import { largeSession, mediumSession, mixedSessions, smallSession } from "./v8_sessions.ts";

const ROUNDS = Number(process.argv[2] ?? 9);
const SLICE_MS = 40;

/** Does its work once for each of the values. */
type Work = () => void;

let sink: unknown;

/** Values a second. */
function speed(work: Work, values: number): number {
  const start = performance.now();
  let count = 0;
  let elapsed = 0;
  while (elapsed < SLICE_MS) {
    work();
    count += values;
    elapsed = performance.now() - start;
  }
  return count / elapsed * 1000;
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1] as number;
}

/** Throughput of each, and its median ratio to each other's. */
function race(
  works: Record<string, Work>,
  values: number,
): Record<string, number[]> {
  const names = Object.keys(works);
  const speeds: Record<string, number[]> = Object.fromEntries(
    names.map((name) => [name, []]),
  );
  for (const name of names) {
    for (let i = 0; i < 3; i++) speed(works[name] as Work, values);
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of names) {
      speeds[name]?.push(speed(works[name] as Work, values));
    }
  }
  return speeds;
}

function each<T>(list: readonly T[], use: (item: T) => unknown): Work {
  return () => {
    for (const item of list) sink = use(item);
  };
}

function print(
  title: string,
  speeds: Record<string, number[]>,
  [ours, ...others]: string[],
): void {
  const of = (name: string): number[] => speeds[name] as number[];
  const ratio = (a: string, b: string): string =>
    median(of(a).map((value, round) => value / (of(b)[round] as number)))
      .toFixed(2);
  const thousands = Object.keys(speeds).map((name) =>
    `${name} ${(median(of(name)) / 1000).toFixed(1)}`
  );
  const ratios = others.map((other) => `${ours} / ${other} = ${ratio(ours as string, other)}`);
  console.log(
    `${title.padEnd(8)} ${thousands.join("  ")}   ${ratios.join("  ")}`,
  );
}

function bench(title: string, sessions: readonly unknown[]): void {
  const ours = sessions.map((session) => Buffer.from(serialize(session)));
  const theirs = sessions.map((session) => v8.serialize(session));
  const json = sessions.map((session) => Buffer.from(JSON.stringify(session)));
  const bytes = ours.reduce((sum, { length }) => sum + length, 0) /
    sessions.length;
  console.log(
    `${title}: ${sessions.length} of ${bytes.toFixed(0)} bytes; thousands a second, ratios`,
  );
  const encoding = race({
    encode: each(sessions, (session) => encode(session)),
    serialize: each(sessions, (session) => serialize(session)),
    "node:v8": each(sessions, (session) => v8.serialize(session)),
    JSON: each(sessions, (session) => Buffer.from(JSON.stringify(session))),
  }, sessions.length);
  print("  encode", encoding, ["encode", "node:v8", "JSON"]);
  print("        ", encoding, ["serialize", "node:v8", "JSON"]);
  const decoding = race({
    decode: each(ours, (bytes) => decode(bytes, 0, bytes.length)),
    deserialize: each(ours, (bytes) => deserialize(bytes)),
    "node:v8": each(theirs, (bytes) => v8.deserialize(bytes)),
    JSON: each(json, (bytes) => JSON.parse(bytes.toString())),
  }, sessions.length);
  print("  decode", decoding, ["decode", "node:v8", "JSON"]);
  print("        ", decoding, ["deserialize", "node:v8", "JSON"]);
}

bench("mixed", mixedSessions());
bench("small", [smallSession()]);
bench("2 KB", [mediumSession()]);
bench("50 KB", [largeSession()]);
if (sink === undefined) throw new Error("nothing was measured");

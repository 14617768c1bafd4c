/**
 * What the real memcached answered to a list of cases, and playing the same to the embedded server
 * with its clock at the same seconds.
 *
 * Recordings are made on the spot where the reference version is installed, and kept in
 * recorded.jsonl for everybody else.
 */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { startMemcached } from "../support/memcached.ts";
import { type Case, isWait, nameOf, stepsOf } from "./cases/case.ts";
import { Control, play, startEmbedded } from "./support.ts";

/** The version whose replies decide. */
export const REFERENCE_VERSION = "1.6.18";

/**
 * What one step was answered, and how many seconds after the server's start by its own clock; one
 * character per byte, cut short if long, nothing for a wait.
 */
export type Answer = readonly [seconds: number, reply: string];

/** What one server was told from its start, case by case, and answered. */
export interface Recording {
  /** When it says that it started, in seconds since 1970. */
  readonly startedAt: number;
  readonly cases: readonly { readonly id: string; readonly answers: readonly Answer[] }[];
}

const TRIES = 20;

/** Replies up to this long are kept whole. */
const WHOLE = 1500;

/** A reply as it is kept: long ones by length and hash. */
function digest(reply: string): string {
  if (reply.length <= WHOLE) return reply;
  return `${reply.slice(0, 60)}... ${reply.length} bytes, ${hash(reply).slice(0, 32)}`;
}

function hash(text: string): string {
  return createHash("sha256").update(text, "latin1").digest("hex");
}

/** What tells a case from others in a recording. */
export function idOf(one: Case): string {
  return hash(JSON.stringify(stepsOf(one))).slice(0, 12);
}

/** The version of the memcached that is installed. */
export async function installedVersion(): Promise<string> {
  const server = await startMemcached();
  const reply = await server.ask("version").finally(() => server.stop());
  return reply.slice("VERSION ".length).trim();
}

/** Plays cases to a real memcached, each after a flush, until that succeeds within clear seconds. */
export async function record(cases: readonly Case[]): Promise<Recording> {
  for (let count = 0; count < TRIES; count++) {
    const recording = await tryRecord(cases);
    if (recording !== undefined) return recording;
  }
  throw new Error(`the second changed under a case in each of ${TRIES} tries`);
}

/**
 * Undefined if the server's second changed while a step was played, or its crawler, which has work of
 * its own, was busy: what came back can then not be compared.
 */
async function tryRecord(cases: readonly Case[]): Promise<Recording | undefined> {
  const server = await startMemcached();
  const control = await Control.open(server.address);
  const now = async (): Promise<number> => Number((await control.stats()).get("time"));
  try {
    const stats = await control.stats();
    // It counts two seconds of uptime as it starts.
    const startedAt = Number(stats.get("time")) - Number(stats.get("uptime")) + 2;
    const recorded = [];
    for (const one of cases) {
      const answers: Answer[] = [];
      let time = await now();
      await control.ask("flush_all");
      for (const step of stepsOf(one)) {
        if (isWait(step)) {
          const until = time + step.wait;
          while ((time = await now()) < until) await sleep(10);
          answers.push([time - startedAt, ""]);
          continue;
        }
        const reply = await play(server.address, step);
        if (await now() !== time || reply.includes("BUSY")) return undefined;
        answers.push([time - startedAt, digest(sortDump(reply))]);
      }
      recorded.push({ id: idOf(one), answers });
    }
    return { startedAt, cases: recorded };
  } finally {
    control.close();
    await server.stop();
  }
}

/** What differs when the cases of a recording are played to an embedded server; nothing, that is. */
export async function compare(cases: readonly Case[], recording: Recording): Promise<string[]> {
  const embedded = await startEmbedded(recording.startedAt);
  const differences: string[] = [];
  try {
    for (const [index, one] of cases.entries()) {
      const { answers } = recording.cases[index] ?? { answers: [] };
      for (const [number, step] of stepsOf(one).entries()) {
        const [seconds, expected] = answers[number] as Answer;
        embedded.clock.advance(recording.startedAt + seconds - embedded.clock.now());
        if (number === 0) await embedded.control.ask("flush_all");
        if (isWait(step)) continue;
        const reply = digest(sortDump(await play(embedded.server.address, step)));
        if (reply === expected) continue;
        differences.push(
          `${nameOf(one)}, step ${number}:\n  memcached ${JSON.stringify(expected)}\n` +
            `  embedded  ${JSON.stringify(reply)}`,
        );
      }
    }
  } finally {
    await embedded.stop();
  }
  return differences;
}

/** A dump comes in no order: its lines are sorted. */
function sortDump(reply: string): string {
  return reply.replace(/(?:^key=.*\n)+/gm, (dump) => dump.match(/.*\n/g)!.sort().join(""));
}

/**
 * Records what the real memcached answers to a list of cases, and plays the same cases to the embedded server
 * with its clock at the same seconds.
 *
 * Recordings are made where the reference version is installed, and kept in recorded.jsonl for everybody else.
 */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { MemcachedServerOptions } from "../../src/testing/mod.ts";
import { startMemcached } from "../support/memcached.ts";
import { argumentsOf } from "./cases/options.ts";
import { type Case, isWait, nameOf, type Step, stepsOf } from "./cases/case.ts";
import { Control, play, startEmbedded } from "./support.ts";

/** The version of memcached whose replies are the reference. */
export const REFERENCE_VERSION = "1.6.18";

/**
 * The reply to one step, and how many seconds after the server's start it came, by the server's own clock. The
 * reply has one character per byte, is cut short if it is long, and is empty for a wait.
 */
export type Answer = readonly [seconds: number, reply: string];

/** A case that was played to a server. */
export interface Played {
  readonly id: string;
  /** Whether the replies can be compared. If not, only some steps were played, and the case was tried again. */
  readonly clear: boolean;
  readonly answers: readonly Answer[];
}

/** The cases that one server was sent since its start, with its replies. */
export interface Recording {
  /** When the server says that it started, in seconds since 1970. */
  readonly startedAt: number;
  readonly played: readonly Played[];
}

/** How often a case is tried at most until its replies can be compared. */
const TRIES = 20;

/** Replies of up to this length are kept whole. */
const WHOLE = 1500;

/** The form in which a reply is kept: a long one by its length and hash. */
function digest(reply: string): string {
  if (reply.length <= WHOLE) return reply;
  return `${reply.slice(0, 60)}... ${reply.length} bytes, ${hash(reply).slice(0, 32)}`;
}

function hash(text: string): string {
  return createHash("sha256").update(text, "latin1").digest("hex");
}

/** The text that identifies a case in a recording. */
export function idOf(one: Case): string {
  return hash(JSON.stringify(stepsOf(one))).slice(0, 12);
}

/** The version of the memcached that is installed. */
export async function installedVersion(): Promise<string> {
  const server = await startMemcached();
  const reply = await server.ask("version").finally(() => server.stop());
  return reply.slice("VERSION ".length).trim();
}

/**
 * Keeps memcached from noting a second read in a background thread. Until that thread has run, memcached does
 * not change the item in place, and nobody can know when that is.
 */
const NO_LATE_NOTES = "lru mode flat";

/**
 * Plays cases to a real memcached, each after a flush, until its replies can be compared. With `atOnce` reads
 * are noted at once or not at all; without it, a second read changes the time of access.
 */
export async function record(
  cases: readonly Case[],
  atOnce = false,
  options: MemcachedServerOptions = {},
): Promise<Recording> {
  const { auth } = options;
  const server = await startMemcached({
    args: [...argumentsOf(options), "-t", "1"],
    ...(auth && { auth }),
  });
  const control = await Control.open(server.address, auth);
  try {
    const stats = await control.stats();
    // memcached counts two seconds of uptime when it starts.
    const startedAt = Number(stats.get("time")) - Number(stats.get("uptime")) + 2;
    const played: Played[] = [];
    if (atOnce && options.outOfMemory !== true) await control.ask(NO_LATE_NOTES);
    for (const one of cases) {
      for (let tries = 1, clear = false; !clear; tries++) {
        if (tries > TRIES) throw new Error(`the second changed under ${nameOf(one)} in each try`);
        const attempt = await playOnce(one, server.address, control, startedAt);
        played.push(attempt);
        ({ clear } = attempt);
      }
    }
    return { startedAt, played };
  } finally {
    control.close();
    await server.stop();
  }
}

/**
 * Plays a case to its end, or up to a step during which the server's second changed or its crawler was busy
 * with work of its own.
 */
async function playOnce(
  one: Case,
  address: string,
  control: Control,
  startedAt: number,
): Promise<Played> {
  const now = async (): Promise<number> => Number((await control.stats()).get("time"));
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
    const reply = await play(address, step, control);
    answers.push([time - startedAt, digest(sortDump(reply))]);
    if (await now() !== time || reply.includes("BUSY")) {
      return { id: idOf(one), clear: false, answers };
    }
  }
  return { id: idOf(one), clear: true, answers };
}

/** Plays the cases of a recording to an embedded server, and lists the differences; there should be none. */
export async function compare(
  cases: readonly Case[],
  recording: Recording,
  options: MemcachedServerOptions = {},
): Promise<string[]> {
  const { startedAt, played } = recording;
  const embedded = await startEmbedded(startedAt, options);
  const differences: string[] = [];
  const byId = new Map(cases.map((one) => [idOf(one), one]));
  try {
    for (const { id, clear, answers } of played) {
      const one = byId.get(id) as Case;
      const steps = stepsOf(one);
      for (const [number, [seconds, expected]] of answers.entries()) {
        const step = steps[number] as Step;
        embedded.clock.advance(startedAt + seconds - embedded.clock.now());
        if (number === 0) await embedded.control.ask("flush_all");
        if (isWait(step)) continue;
        const reply = digest(sortDump(await play(embedded.server.address, step, embedded.control)));
        if (!clear || reply === expected) continue;
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

/** Sorts the lines of a dump, because they come in no particular order. */
function sortDump(reply: string): string {
  return reply.replace(/(?:^key=.*\n)+/gm, (dump) => dump.match(/.*\n/g)!.sort().join(""));
}

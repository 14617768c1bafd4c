/**
 * The embedded server against memcached 1.6.18, byte for byte: over a list of conversations and some
 * random ones, on the spot where that version is installed and against its recorded replies anywhere.
 *
 * `MEMWIRE_RECORD=1` writes the recordings anew.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { it } from "node:test";
import { type Case, takesTime, type Topics } from "./cases/case.ts";
import { CLASSIC } from "./cases/classic.ts";
import { META } from "./cases/meta.ts";
import { SERVER } from "./cases/server.ts";
import {
  type Answer,
  compare,
  idOf,
  installedVersion,
  type Played,
  record,
  type Recording,
  REFERENCE_VERSION,
} from "./recording.ts";
import { randomCases } from "./request_generator.ts";

const RECORDED = new URL("recorded.jsonl", import.meta.url);
const RECORD = process.env["MEMWIRE_RECORD"] === "1";

/** Rounds of random conversations that are played besides the list. */
const RANDOM: Topics = Object.fromEntries(
  [1, 2].map((seed) => [`at random, seed ${seed}`, randomCases(seed, 100)]),
);

/** Lists that are each played to a server of their own; a case that takes time has one for itself. */
const groups: [name: string, cases: readonly Case[]][] = Object.entries(
  { ...CLASSIC, ...META, ...SERVER, ...RANDOM } satisfies Topics,
).flatMap(([name, cases]): [string, readonly Case[]][] => {
  const timed = cases.filter(takesTime).map((one, index): [string, Case[]] => {
    return [`${name}, in time ${index}`, [one]];
  });
  return [[name, cases.filter((one) => !takesTime(one))] as const, ...timed]
    .map(([title, list]): [string, readonly Case[]] => [title, list])
    .filter(([, list]) => list.length > 0);
});

/** Does something for all groups, those that wait at the same time. */
async function forGroups<T>(
  work: (name: string, cases: readonly Case[]) => Promise<T>,
): Promise<T[]> {
  const waiting = groups.filter(([, cases]) => cases.some(takesTime));
  const quick = groups.filter(([, cases]) => !cases.some(takesTime));
  const late = Promise.all(waiting.map(([name, cases]) => work(name, cases)));
  const results: T[] = [];
  for (const [name, cases] of quick) results.push(await work(name, cases));
  return [...results, ...await late];
}

/** A line for each group, and below it one for each case. */
function toLines(recordings: Readonly<Record<string, Recording>>): string {
  return Object.entries(recordings).flatMap(([name, { startedAt, played }]) => [
    JSON.stringify({ name, startedAt }),
    ...played.map(({ id, answers }) => JSON.stringify([id, ...answers])),
  ]).join("\n") + "\n";
}

function fromLines(text: string): Record<string, Recording> {
  const recordings: Record<string, Recording> = {};
  let played: Played[] = [];
  for (const line of text.trimEnd().split("\n")) {
    const parsed: { name: string; startedAt: number } | [string, ...Answer[]] = JSON.parse(line);
    if (Array.isArray(parsed)) {
      const [id, ...answers] = parsed;
      played.push({ id, clear: true, answers });
    } else {
      played = [];
      recordings[parsed.name] = { startedAt: parsed.startedAt, played };
    }
  }
  return recordings;
}

const version = await installedVersion();

// Another version differs by its own changes; where it is installed, the recording stands in for it.
if (version === REFERENCE_VERSION) {
  it("answers the list as memcached does, here and now", { timeout: 60_000 }, async () => {
    const recordings: Record<string, Recording> = {};
    const differences = await forGroups(async (name, cases) => {
      recordings[name] = await record(cases, !cases.some(takesTime));
      return compare(cases, recordings[name]);
    });
    assert.equal(differences.flat().join("\n"), "");
    if (!RECORD) return;
    const unclear = Object.values(recordings).flatMap(({ played }) =>
      played.filter((one) => !one.clear)
    );
    assert.deepEqual(unclear, [], "a second passed under these; record once more");
    writeFileSync(RECORDED, toLines(recordings));
  });
}

it("answers the list as memcached 1.6.18 did when it was recorded", async () => {
  const recordings = fromLines(readFileSync(RECORDED, "utf8"));
  const differences = await forGroups((name, cases) => {
    const recording = recordings[name] ?? { startedAt: 0, played: [] };
    assert.deepEqual(
      recording.played.map(({ id }) => id),
      cases.map(idOf),
      `${name}: the list has changed, record it anew with MEMWIRE_RECORD=1`,
    );
    return compare(cases, recording);
  });
  assert.equal(differences.flat().join("\n"), "");
});

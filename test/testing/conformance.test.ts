/**
 * Compares the embedded server with memcached 1.6.18, byte for byte, over a list of conversations and some
 * random ones. Where that version is installed, it compares with the running program; everywhere it compares
 * with the recorded replies.
 *
 * `MEMWIRE_RECORD=1` makes new recordings.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { it } from "node:test";
import type { MemcachedServerOptions } from "../../src/testing/mod.ts";
import { type Case, takesTime, type Topics } from "./cases/case.ts";
import { CLASSIC } from "./cases/classic.ts";
import { META } from "./cases/meta.ts";
import { OPTIONS } from "./cases/options.ts";
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

/** How many rounds of random conversations are played besides the list. */
const RANDOM: Topics = Object.fromEntries(
  [1, 2].map((seed) => [`at random, seed ${seed}`, randomCases(seed, 100)]),
);

/** A list of cases that is played to a server of its own. */
interface Group {
  readonly name: string;
  readonly options: MemcachedServerOptions;
  readonly cases: readonly Case[];
}

/** All lists. A case that lets time pass has a server for itself. */
const groups: readonly Group[] = [
  ...Object.entries({ ...CLASSIC, ...META, ...SERVER, ...RANDOM } satisfies Topics)
    .map(([name, cases]): Group => ({ name, options: {}, cases })),
  ...Object.entries(OPTIONS).map(([name, rest]): Group => ({ name, ...rest })),
].flatMap((group): Group[] => {
  const timed = group.cases.filter(takesTime).map((one, index): Group => {
    return { ...group, name: `${group.name}, in time ${index}`, cases: [one] };
  });
  return [{ ...group, cases: group.cases.filter((one) => !takesTime(one)) }, ...timed]
    .filter(({ cases }) => cases.length > 0);
});

/** Does something for all groups. Those that wait run at the same time. */
async function forGroups<T>(work: (group: Group) => Promise<T>): Promise<T[]> {
  const waiting = groups.filter(({ cases }) => cases.some(takesTime));
  const quick = groups.filter(({ cases }) => !cases.some(takesTime));
  const late = Promise.all(waiting.map(work));
  const results: T[] = [];
  for (const group of quick) results.push(await work(group));
  return [...results, ...await late];
}

/** The text of a recording: a line for each group, followed by one for each of its cases. */
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

// If another version is installed, it would differ by its own changes, so the recording replaces it.
if (version === REFERENCE_VERSION) {
  it("answers the list as memcached does, here and now", { timeout: 60_000 }, async () => {
    const recordings: Record<string, Recording> = {};
    const differences = await forGroups(async ({ name, options, cases }) => {
      recordings[name] = await record(cases, !cases.some(takesTime), options);
      return compare(cases, recordings[name], options);
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
  const differences = await forGroups(({ name, options, cases }) => {
    const recording = recordings[name] ?? { startedAt: 0, played: [] };
    assert.deepEqual(
      recording.played.map(({ id }) => id),
      cases.map(idOf),
      `${name}: the list has changed, record it again with MEMWIRE_RECORD=1`,
    );
    return compare(cases, recording, options);
  });
  assert.equal(differences.flat().join("\n"), "");
});

/** Checks that every behaviour of the list has a test, by its name and in the dialects that it applies to. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { BEHAVIOURS } from "./behaviours.ts";

const FOLDER = new URL("./", import.meta.url);

// Behaviours of a process, not of a dialect, or with a test in one dialect each.
const ONCE = new Set<string>(["exit after close()", "stalled, 100k x 1 KB sets"]);

test("each of the 47 behaviours has its tests", () => {
  assert.equal(new Set(BEHAVIOURS).size, 47);
  const text = readdirSync(FOLDER).filter((name) => name.endsWith(".test.ts"))
    .map((name) => readFileSync(new URL(name, FOLDER), "utf8")).join("\n");
  for (const row of BEHAVIOURS) {
    const [end] = /^(FIN|RST)(?=[ ,])/.exec(row) ?? [];
    const name = JSON.stringify(row);
    const uses = [
      `behaviour(${name}${ONCE.has(row) ? ")" : ", dialect)"}`,
      // One test for both ways to end a connection, and a table for the keys.
      `behaviour(\`${row.replace(end ?? "FIN", "${name}")}\`, dialect)`,
      `[${name}, [`,
    ];
    assert.ok(uses.some((use) => text.includes(use)), `no test of ${row}`);
  }
});

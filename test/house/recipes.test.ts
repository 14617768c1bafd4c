/** README's code for test frameworks is the same code that test/projects runs. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const read = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

test("README's recipe for Vitest is run", () => {
  assert.ok(read("README.md").includes(read("test/projects/vitest/faults.test.js")));
});

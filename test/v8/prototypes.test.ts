/** Properties of Object.prototype are neither run while decoding, nor do they change the result. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { askChild } from "../support/child.ts";

test("setters on prototypes are not run, and frozen prototypes change nothing", async () => {
  assert.deepEqual(await askChild(new URL("./prototypes_child.ts", import.meta.url)), []);
});

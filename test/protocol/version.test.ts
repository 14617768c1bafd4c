import assert from "node:assert/strict";
import { test } from "node:test";
import { isAtLeast } from "../../src/protocol/version.ts";

test("a version is compared by its numbers", () => {
  assert.ok(isAtLeast("1.6.39", [1, 6, 39]));
  assert.ok(isAtLeast("1.6.100", [1, 6, 39]));
  assert.ok(isAtLeast("1.10.0", [1, 6, 39]));
  assert.ok(!isAtLeast("1.6.4", [1, 6, 39]));
  assert.ok(!isAtLeast("1.6", [1, 6, 39]));
  assert.ok(!isAtLeast("", [1, 6, 39]));
  assert.ok(!isAtLeast("v1.6.45", [1, 6, 39]));
});

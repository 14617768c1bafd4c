/** When probes are sent: a pure function of the number of failures and of chance. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { probeDelay } from "../../src/cluster/backoff.ts";

test("100 ms, doubling to 5 s", () => {
  const delays = Array.from({ length: 9 }, (_, failures) => Math.round(probeDelay(failures, 0.5)));
  assert.deepEqual(delays, [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
  assert.equal(probeDelay(10_000, 0.5), 5000);
});

test("plus or minus a fifth", () => {
  assert.equal(Math.round(probeDelay(0, 0)), 80);
  assert.equal(Math.round(probeDelay(0, 1)), 120);
  assert.equal(Math.round(probeDelay(20, 0)), 4000);
  assert.equal(Math.round(probeDelay(20, 1)), 6000);
});

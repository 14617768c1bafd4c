/** Waits for something that happens by itself. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

/** Resolves when the condition holds; fails if it does not within `limit` ms. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  limit = 20_000, // long, so that a test does not fail because the machine is busy
): Promise<void> {
  const end = performance.now() + limit;
  while (!await condition()) {
    assert.ok(performance.now() < end, `not within ${limit} ms: ${condition}`);
    await sleep(2);
  }
}

/**
 * Tests that mostly wait, run at the same time and reported one by one.
 *
 *     together({
 *       "a silent server": async () => { ... },
 *       "a slow server": async () => { ... },
 *     });
 *
 * All cases start when the first test does. They share the process: a case that blocks the event
 * loop, or measures memory, is a test of its own.
 */
import { test } from "node:test";

/** A named case; what it opens it closes, with `await using` say. */
export type Cases = Readonly<Record<string, () => Promise<void>>>;

/** Declares a test for each case. */
export function together(cases: Cases): void {
  let running: Map<string, Promise<void>> | undefined;
  for (const name of Object.keys(cases)) {
    test(name, async () => {
      running ??= start(cases);
      await running.get(name);
    });
  }
}

function start(cases: Cases): Map<string, Promise<void>> {
  return new Map(
    Object.entries(cases).map(([name, run]) => {
      const running = run();
      running.catch(() => {}); // its own test tells
      return [name, running];
    }),
  );
}

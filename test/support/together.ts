/**
 * Tests that mostly wait, run at the same time and reported one by one.
 *
 *     const cases = together({
 *       "a silent server": async () => { ... },
 *       "a slow server": async () => { ... },
 *     });
 *     for (const [name, run] of cases) test(name, run);
 *
 * All cases start when the first test does. They share the process: a case that blocks the event
 * loop, or measures memory, is a test of its own.
 */

/** A case; what it opens it closes, with `await using` say. */
export type Case = () => Promise<void>;

/** Tests that start together. */
export function together(cases: Readonly<Record<string, Case>>): readonly [string, Case][] {
  let running: Map<string, Promise<void>> | undefined;
  return Object.keys(cases).map((name) => [name, async () => {
    running ??= start(cases);
    await running.get(name);
  }]);
}

function start(cases: Readonly<Record<string, Case>>): Map<string, Promise<void>> {
  return new Map(
    Object.entries(cases).map(([name, run]) => {
      const running = run();
      running.catch(() => {}); // its own test tells
      return [name, running];
    }),
  );
}

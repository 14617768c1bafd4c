/**
 * Runs tests that mostly wait at the same time, and reports them one by one.
 *
 *     const cases = together({
 *       "a silent server": async () => { ... },
 *       "a slow server": async () => { ... },
 *     });
 *     for (const [name, run] of cases) test(name, run);
 *
 * All cases start when the first test does. They share the process, so a case that blocks the event loop or
 * measures memory must be a test of its own.
 */

/** A case. It closes what it opens, by `await using`, for example. */
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
      running.catch(() => {}); // its own test reports the error
      return [name, running];
    }),
  );
}

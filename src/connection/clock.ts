/**
 * The runtime's clocks and timers, taken when this module loads. Test frameworks replace the globals and
 * the functions in `node:timers` and `process` by fakes (Jest and sinon do by default), and a flush or a
 * deadline must not depend on those. There is no `queueMicrotask` here: a promise does the same, and no
 * framework can replace that.
 */
import process from "node:process";
import * as timers from "node:timers";

export const setTimeout: typeof timers.setTimeout = timers.setTimeout;
export const clearTimeout: typeof timers.clearTimeout = timers.clearTimeout;
export const setInterval: typeof timers.setInterval = timers.setInterval;
export const clearInterval: typeof timers.clearInterval = timers.clearInterval;
export const setImmediate: typeof timers.setImmediate = timers.setImmediate;
export const nextTick: typeof process.nextTick = process.nextTick;

// Under Jest's `fakeTimers.enableGlobally` the global `performance` is a stand-in already when this loads.
// An import would be simpler, but workerd has node:perf_hooks only from some compatibility date on.
const hooks = process.getBuiltinModule?.("node:perf_hooks");
const { performance } = hooks ?? globalThis;

/** Milliseconds since some moment. They never go back. */
export const elapsed: () => number = performance.now.bind(performance);

/** Milliseconds since 1970. */
export const wallClock: () => number = Date.now;

const done = Promise.resolve();

/** Runs `then` as a microtask. */
export function soon(then: () => void): void {
  void done.then(then);
}

// Deno delivers what a socket has read only between a timer and an immediate, so it needs a timer here. That costs a
// millisecond at least, so the other runtimes have none: the first call after a rest takes 0.6 ms there, and took 2.8.
const isDeno = "Deno" in globalThis;

/**
 * Runs `then` when every socket that has something to read has been read: after two whole turns of the
 * event loop.
 */
export function afterReading(then: () => void): void {
  turn(() => turn(then));
}

function turn(next: () => void): void {
  if (isDeno) setTimeout(() => setImmediate(next), 0);
  else setImmediate(next);
}

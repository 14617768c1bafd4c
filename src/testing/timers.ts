/**
 * The timers of the embedded server. They are taken when the module loads, so that the fake timers of a test
 * framework do not stop the server. None of them keeps the process alive.
 */
import * as timers from "node:timers";

const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate } = timers;

/** The longest delay that timers accept, in milliseconds: nearly 25 days. */
const LONGEST = 2 ** 31 - 1;

/** Calls back after `ms` milliseconds, unless the returned function is called before. */
export function after(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, Math.min(ms, LONGEST));
  timer.unref();
  return () => clearTimeout(timer);
}

/** Calls back every `ms` milliseconds until the returned function is called. */
export function every(ms: number, callback: () => void): () => void {
  const timer = setInterval(callback, ms);
  timer.unref();
  return () => clearInterval(timer);
}

/** Calls back when other callbacks of the event loop have had their turn. */
export function soon(callback: () => void): void {
  setImmediate(callback);
}

/** Returns the time in milliseconds, by a clock that never goes back. */
export const milliseconds: () => number = performance.now.bind(performance);

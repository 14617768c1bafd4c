/**
 * The timers of the embedded server. They are taken when the module loads, so that a test framework's fake
 * ones do not stop the server; none of them keeps a process alive.
 */
import * as timers from "node:timers";

const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate } = timers;

/** The longest wait that timers know, in milliseconds; nearly 25 days. */
const LONGEST = 2 ** 31 - 1;

/** Calls back after `ms` milliseconds, unless the function returned is called before. */
export function after(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, Math.min(ms, LONGEST));
  timer.unref();
  return () => clearTimeout(timer);
}

/** Calls back every `ms` milliseconds until the function returned is called. */
export function every(ms: number, callback: () => void): () => void {
  const timer = setInterval(callback, ms);
  timer.unref();
  return () => clearInterval(timer);
}

/** Calls back when others have had their turn. */
export function soon(callback: () => void): void {
  setImmediate(callback);
}

/** Milliseconds of a clock that never goes back. */
export const milliseconds: () => number = performance.now.bind(performance);

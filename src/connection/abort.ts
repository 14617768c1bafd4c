/**
 * Aborting by AbortSignal. A signal gets one listener, however many calls share it, since Node 20 warns
 * of a leak at the eleventh. The listener is removed with the last of them: it would keep a signal of
 * `AbortSignal.timeout` alive, and with it Deno's process.
 */
import type { Request } from "./request.ts";

/** Is called with the signal's reason. */
type Aborted = (reason: unknown) => void;

/** The calls that wait for one signal, and their listener. */
class Waiting {
  readonly members: Set<Aborted> = new Set();
  readonly listener: () => void;

  constructor(signal: AbortSignal) {
    this.listener = () => {
      for (const aborted of [...this.members]) aborted(signal.reason);
    };
  }
}

const waitingFor = new WeakMap<AbortSignal, Waiting>();

/**
 * Calls `aborted` when the signal aborts. The function that is returned ends that.
 */
export function onAbort(signal: AbortSignal, aborted: Aborted): () => void {
  let waiting = waitingFor.get(signal);
  if (waiting === undefined) waitingFor.set(signal, waiting = new Waiting(signal));
  const { members, listener } = waiting;
  if (members.size === 0) signal.addEventListener("abort", listener);
  members.add(aborted);
  return () => {
    if (members.delete(aborted) && members.size === 0) {
      signal.removeEventListener("abort", listener);
    }
  };
}

/** Rejects the request with the signal's reason when it aborts, or at once if it already has. */
export function abortWith<T>(signal: AbortSignal, request: Request<T>): void {
  if (signal.aborted) return request.refuse(signal.reason);
  request.onSettled(onAbort(signal, (reason) => request.refuse(reason)));
}

/**
 * Hand-written values, at least one for each line of the format and each of its edges. Every value is
 * made anew at each call, so that what was written and what is expected share nothing.
 */
import { builtins } from "./corpus_builtins.ts";
import { buffers } from "./corpus_buffers.ts";
import { objects } from "./corpus_objects.ts";
import { primitives } from "./corpus_primitives.ts";

/** A value with a name that pinned files know it by. */
export interface Entry {
  readonly name: string;
  readonly make: () => unknown;
  /** What is read back, where that is not what was written. */
  readonly reads?: () => unknown;
  /** A global class without which there is no such value. */
  readonly needs?: string;
  /** Native bytes that differ from ours, or between runtimes, and why. */
  readonly bytesDiffer?: string;
  /** Why native in Node 20 cannot read it. */
  readonly notInNode20?: string;
}

/** All values that this runtime can make. */
export const corpus: readonly Entry[] = [...primitives, ...objects, ...builtins, ...buffers].filter(
  ({ needs }) => needs === undefined || needs in globalThis,
);

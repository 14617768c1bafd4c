/**
 * Hand-written values, at least one for each rule of the format and each of its edges. Each call makes a new
 * value, so that the written and the expected value share nothing.
 */
import { builtins } from "./corpus_builtins.ts";
import { buffers } from "./corpus_buffers.ts";
import { objects } from "./corpus_objects.ts";
import { primitives } from "./corpus_primitives.ts";

/** A value with the name that it has in the pinned files. */
export interface Entry {
  readonly name: string;
  readonly make: () => unknown;
  /** What is read back, if that differs from what was written. */
  readonly reads?: () => unknown;
  /** A global class that a runtime needs to have for this value. */
  readonly needs?: string;
  /** Why native bytes differ from ours, or between runtimes. */
  readonly bytesDiffer?: string;
  /** Why native in Node 20 cannot read it. */
  readonly notInNode20?: string;
}

/** All values that this runtime can make. */
export const corpus: readonly Entry[] = [...primitives, ...objects, ...builtins, ...buffers].filter(
  ({ needs }) => needs === undefined || needs in globalThis,
);

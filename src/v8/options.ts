/** What callers may choose, and what they get if they do not. */
import { invalidRange } from "../errors.ts";
import { MAX_DEPTH } from "./limits.ts";

/** What `serialize` may be told. */
export interface SerializeOptions {
  /** How many objects may be in one another, 1 to 100,000. Default 1000, which `deserialize` reads. */
  maxDepth?: number;
  /** Whether properties of arrays other than their elements are kept. Default true; false is faster. */
  arrayProps?: boolean;
  /** Whether the stacks of errors are written, which show paths of files. Default false. */
  errorStacks?: boolean;
}

/** What `deserialize` may be told. */
export interface DeserializeOptions {
  /** How many objects may be in one another, 1 to 100,000. Default 1000. */
  maxDepth?: number;
}

/** Options with nothing left open. */
export type EncoderOptions = Required<SerializeOptions>;

const DEFAULTS: EncoderOptions = { maxDepth: MAX_DEPTH, arrayProps: true, errorStacks: false };

/** The options with their defaults; a RangeError for a `maxDepth` out of range. */
export function encoderOptions(options: SerializeOptions | undefined): EncoderOptions {
  if (options === undefined) return DEFAULTS;
  const { arrayProps = true, errorStacks = false } = options;
  return { maxDepth: maxDepthOf(options), arrayProps, errorStacks };
}

/** `maxDepth` or its default; a RangeError when it is out of range. */
export function maxDepthOf(options: { maxDepth?: number } | undefined): number {
  const maxDepth = options?.maxDepth ?? MAX_DEPTH;
  if (Number.isInteger(maxDepth) && maxDepth >= 1 && maxDepth <= 100_000) return maxDepth;
  throw invalidRange(`maxDepth must be an integer from 1 to 100,000, not ${maxDepth}`);
}

/** What callers may choose, and what they get if they do not. */
import { readOptions } from "../checks/options.ts";
import { checkBoolean, checkWhole } from "../checks/values.ts";
import { MAX_DEPTH } from "./limits.ts";

/** What `serialize` may be told. */
export interface SerializeOptions {
  /** How many objects may be in one another, 1 to 100,000. Default 1000, which `deserialize` reads. */
  maxDepth?: number | undefined;
  /** Whether properties of arrays other than their elements are kept. Default true; false is faster. */
  arrayProps?: boolean | undefined;
  /** Whether the stacks of errors are written, which show paths of files. Default false. */
  errorStacks?: boolean | undefined;
}

/** What `deserialize` may be told. */
export interface DeserializeOptions {
  /** How many objects may be in one another, 1 to 100,000. Default 1000. */
  maxDepth?: number | undefined;
}

/** Options with nothing left open. */
export interface EncoderOptions {
  readonly maxDepth: number;
  readonly arrayProps: boolean;
  readonly errorStacks: boolean;
  /**
   * An instance of a class is stored as what its `toJSON` returns, and refused if it has neither that nor
   * a field; else it is stored as a plain object of its fields, whatever that leaves out, as `node:v8` does.
   */
  readonly asJson: boolean;
}

const MOST_DEPTH = 100_000;

const DEFAULTS: EncoderOptions = {
  maxDepth: MAX_DEPTH,
  arrayProps: true,
  errorStacks: false,
  asJson: false,
};

/** How the client and the sessions store values. */
export const STORING: EncoderOptions = { ...DEFAULTS, asJson: true };

/** The options with their defaults. Throws for an unknown one, or a `maxDepth` out of range. */
export function encoderOptions(options: SerializeOptions | undefined): EncoderOptions {
  if (options === undefined) return DEFAULTS;
  const { maxDepth = MAX_DEPTH, arrayProps = true, errorStacks = false } = readOptions<
    SerializeOptions
  >(options, { maxDepth: undefined, arrayProps: undefined, errorStacks: undefined });
  return {
    maxDepth: checkWhole(maxDepth, "maxDepth", 1, MOST_DEPTH),
    arrayProps: checkBoolean(arrayProps, "arrayProps"),
    errorStacks: checkBoolean(errorStacks, "errorStacks"),
    asJson: false,
  };
}

/** `maxDepth` or its default. Throws for an unknown option, or a `maxDepth` out of range. */
export function maxDepthOf(options: DeserializeOptions | undefined): number {
  if (options === undefined) return MAX_DEPTH;
  const { maxDepth = MAX_DEPTH } = readOptions<DeserializeOptions>(options, {
    maxDepth: undefined,
  });
  return checkWhole(maxDepth, "maxDepth", 1, MOST_DEPTH);
}

/** The codec's options and their defaults. */
import { readOptions } from "../checks/options.ts";
import { checkBoolean, checkWhole } from "../checks/values.ts";
import { MAX_DEPTH } from "./limits.ts";

/** Options of `serialize`. */
export interface SerializeOptions {
  /** How deep objects may be nested, 1 to 100,000. Default 1000, which `deserialize` reads by default. */
  maxDepth?: number | undefined;
  /** Whether arrays keep properties that are not elements. Default true; false is faster. */
  arrayProps?: boolean | undefined;
  /** Whether the stacks of errors are written. They show file paths. Default false. */
  errorStacks?: boolean | undefined;
}

/** Options of `deserialize`. */
export interface DeserializeOptions {
  /** How deep objects may be nested, 1 to 100,000. Default 1000. */
  maxDepth?: number | undefined;
}

/** The encoder's options, with all defaults filled in. */
export interface EncoderOptions {
  readonly maxDepth: number;
  readonly arrayProps: boolean;
  readonly errorStacks: boolean;
  /**
   * If true, an instance of a class is stored as what its `toJSON` returns; without a `toJSON` it is stored
   * as a plain object of its fields, and refused if it has none. If false, it is always stored as a plain
   * object of its fields, as `node:v8` does, whatever that loses.
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

/** The options with which the client and the sessions store values. */
export const STORING: EncoderOptions = { ...DEFAULTS, asJson: true };

/** Fills in the defaults. Throws for an unknown option, or a `maxDepth` out of range. */
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

/** Returns `maxDepth` or its default. Throws for an unknown option, or a `maxDepth` out of range. */
export function maxDepthOf(options: DeserializeOptions | undefined): number {
  if (options === undefined) return MAX_DEPTH;
  const { maxDepth = MAX_DEPTH } = readOptions<DeserializeOptions>(options, {
    maxDepth: undefined,
  });
  return checkWhole(maxDepth, "maxDepth", 1, MOST_DEPTH);
}

/**
 * The way in for the rest of memwire: encoding into a buffer that is used again, decoding out of the
 * middle of a receive buffer.
 */
import { invalidRange, SerializationError } from "../errors.ts";
import { Decoder } from "./decoder.ts";
import { Encoder, type EncoderOptions } from "./encoder.ts";
import { MAX_DEPTH } from "./limits.ts";
import { corrupt } from "./reader.ts";

/** What {@linkcode encode} may be told. */
export interface EncodeOptions {
  /** How many objects may be in one another, 1 to 100,000; default 1000. */
  maxDepth?: number;
  /** Whether properties of arrays other than their elements are kept; default true. */
  arrayProps?: boolean;
  /** Whether the stacks of errors are written, which show paths of files; default false. */
  errorStacks?: boolean;
}

/** What {@linkcode decode} may be told. */
export interface DecodeOptions {
  /** How many objects may be in one another, 1 to 100,000; default 1000. */
  maxDepth?: number;
}

/** What the encoder's buffer may keep between two values, bytes. */
const KEPT = 262_144;

const DEFAULTS: EncoderOptions = { maxDepth: MAX_DEPTH, arrayProps: true, errorStacks: false };

/** The encoder that is not at work; absent while one is, so that a getter that encodes gets its own. */
let idle: Encoder | undefined;

/**
 * Encodes a value into the codec's own buffer.
 *
 * @param value Anything that the format can hold.
 * @param options Limits and leanings.
 * @returns A view on the codec's buffer, **valid until the next encode**: copy it at once.
 * @throws SerializationError when something in the value cannot be stored.
 */
export function encode(value: unknown, options?: EncodeOptions): Uint8Array {
  const encoder = idle ?? new Encoder();
  idle = undefined;
  try {
    encoder.run(value, options === undefined ? DEFAULTS : checked(options));
    return encoder.buf.subarray(0, encoder.pos);
  } catch (error) {
    throw stackOverflowed(error) ? tooDeep(error) : error;
  } finally {
    encoder.shrink(KEPT);
    idle = encoder;
  }
}

/**
 * Decodes `bytes[start]` to `bytes[end - 1]`. The result shares no memory with `bytes`. A `Buffer` saves
 * the making of one.
 *
 * @param bytes What holds the value.
 * @param start Where it begins.
 * @param end Where it ends.
 * @param options Limits.
 * @returns The value.
 * @throws CorruptValueError when the bytes are not one whole value.
 */
export function decode(
  bytes: Uint8Array,
  start: number,
  end: number,
  options?: DecodeOptions,
): unknown {
  const maxDepth = options?.maxDepth === undefined ? MAX_DEPTH : depth(options.maxDepth);
  const decoder = new Decoder(bytes, start, end, maxDepth);
  try {
    return decoder.run();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw corrupt("more than this runtime can build", error); // its stack, its strings, its memory
  }
}

function checked(options: EncodeOptions): EncoderOptions {
  const { maxDepth, arrayProps = true, errorStacks = false } = options;
  return {
    maxDepth: maxDepth === undefined ? MAX_DEPTH : depth(maxDepth),
    arrayProps,
    errorStacks,
  };
}

function depth(maxDepth: number): number {
  if (Number.isInteger(maxDepth) && maxDepth >= 1 && maxDepth <= 100_000) return maxDepth;
  throw invalidRange(`maxDepth must be an integer from 1 to 100,000, not ${maxDepth}`);
}

/** A larger `maxDepth` than the stack has room for; every engine names it so. */
function stackOverflowed(error: unknown): boolean {
  return error instanceof RangeError && error.message.includes("call stack");
}

function tooDeep(cause: unknown): SerializationError {
  return new SerializationError("cannot store a value nested deeper than the stack", {
    path: "",
    cause,
  });
}

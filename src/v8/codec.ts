/**
 * The way in for the rest of memwire: encoding into a buffer that is used again, decoding out of the
 * middle of a receive buffer.
 */
import { invalidRange, SerializationError } from "../errors.ts";
import { Decoder } from "./decoder.ts";
import { Encoder, type EncoderOptions } from "./encoder.ts";
import { MAX_DEPTH } from "./limits.ts";
import { cutOff } from "./owned.ts";
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

const DEFAULTS: EncoderOptions = { maxDepth: MAX_DEPTH, arrayProps: true, errorStacks: false };

/** Encoders at rest; absent while at work, so that a getter that encodes gets another one. */
let viewer: Encoder | undefined;
let owner: Encoder | undefined;

/**
 * Encodes a value into the codec's own buffer.
 *
 * @param value Anything that the format can hold.
 * @param options Limits and leanings.
 * @returns A view on the codec's buffer, **valid until the next encode**: copy it at once.
 * @throws SerializationError when something in the value cannot be stored.
 */
export function encode(value: unknown, options?: EncodeOptions): Uint8Array {
  const encoder = viewer ?? new Encoder();
  viewer = undefined;
  try {
    run(encoder, value, options);
    return encoder.written();
  } finally {
    viewer = encoder;
  }
}

/**
 * Encodes a value into bytes for the caller to keep.
 *
 * @param value Anything that the format can hold.
 * @param options Limits and leanings.
 * @returns The bytes, small ones in a piece of the runtime's pool for Buffers.
 * @throws SerializationError when something in the value cannot be stored.
 */
export function encodeOwned(value: unknown, options?: EncodeOptions): Uint8Array {
  const encoder = owner ?? new Encoder();
  owner = undefined;
  try {
    run(encoder, value, options);
    return cutOff(encoder);
  } finally {
    owner = encoder;
  }
}

function run(encoder: Encoder, value: unknown, options: EncodeOptions | undefined): void {
  try {
    encoder.run(value, options === undefined ? DEFAULTS : checked(options));
  } catch (error) {
    throw stackOverflowed(error) ? tooDeep(error) : error;
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

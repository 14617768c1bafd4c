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

/** As Node's own pool for Buffers, bytes. */
const SLAB = 8192;

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
  const encoder = run(value, options);
  return new Uint8Array(encoder.finish().buffer, 0, encoder.pos);
}

/**
 * Encodes a value into bytes for the caller to keep.
 *
 * @param value Anything that the format can hold.
 * @param options Limits and leanings.
 * @returns The bytes, small ones in a slab with others, as Buffer's are.
 * @throws SerializationError when something in the value cannot be stored.
 */
export function encodeOwned(value: unknown, options?: EncodeOptions): Uint8Array {
  const encoder = run(value, options);
  const bytes = allot(encoder.pos);
  encoder.finish().copy(bytes, 0, 0, encoder.pos);
  return bytes;
}

/** An idle encoder that holds the bytes of the value until it runs again. */
function run(value: unknown, options?: EncodeOptions): Encoder {
  const encoder = idle ?? new Encoder();
  idle = undefined;
  try {
    encoder.run(value, options === undefined ? DEFAULTS : checked(options));
    return encoder;
  } catch (error) {
    throw stackOverflowed(error) ? tooDeep(error) : error;
  } finally {
    idle = encoder;
  }
}

let slab = new ArrayBuffer(SLAB);
let slabUsed = 0;

/** Memory for `length` bytes: of its own it costs 400 ns in V8, a part of a slab 60. */
function allot(length: number): Uint8Array<ArrayBuffer> {
  if (length > SLAB / 2) return new Uint8Array(length);
  if (slabUsed + length > slab.byteLength) { // used up, or detached by somebody's transfer
    slab = new ArrayBuffer(SLAB);
    slabUsed = 0;
  }
  const bytes = new Uint8Array(slab, slabUsed, length);
  slabUsed += length;
  return bytes;
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

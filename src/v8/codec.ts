/**
 * The way in for the rest of memwire: encoding into a buffer that is used again, decoding out of the
 * middle of a receive buffer.
 */
import { CorruptValueError, SerializationError } from "../errors.ts";
import { Decoder } from "./decoder.ts";
import { Encoder } from "./encoder.ts";
import {
  type DeserializeOptions,
  type EncoderOptions,
  encoderOptions,
  maxDepthOf,
  type SerializeOptions,
  STORING,
} from "./options.ts";
import { corrupt } from "./reader.ts";

/** An encoder at rest; absent while at work, so that a getter that encodes gets another one. */
let idle: Encoder | undefined;

/**
 * Encodes a value into the codec's own buffer, as the client and the sessions store it: an instance of a
 * class as what its `toJSON` returns.
 *
 * @param value Anything that the format can hold.
 * @param options Limits and leanings, if others are meant.
 * @returns A view on the codec's buffer, **valid until the next encode**: copy it at once.
 * @throws SerializationError when something in the value cannot be stored.
 */
export function encode(
  value: unknown,
  options: EncoderOptions = STORING,
): Uint8Array<ArrayBuffer> {
  const encoder = idle ?? new Encoder();
  idle = undefined;
  try {
    run(encoder, value, options);
    return encoder.written();
  } finally {
    idle = encoder;
  }
}

/**
 * Encodes a value into bytes for the caller to keep.
 *
 * @param value Anything that the format can hold.
 * @param options Limits and leanings.
 * @returns The bytes, over a buffer of their own.
 * @throws SerializationError when something in the value cannot be stored.
 */
export function encodeOwned(value: unknown, options?: SerializeOptions): Uint8Array<ArrayBuffer> {
  return encode(value, encoderOptions(options)).slice();
}

function run(encoder: Encoder, value: unknown, options: EncoderOptions): void {
  try {
    encoder.run(value, options);
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
  options?: DeserializeOptions,
): unknown {
  const decoder = new Decoder(bytes, start, end, maxDepthOf(options));
  try {
    return decoder.run();
  } catch (error) {
    if (error instanceof CorruptValueError) throw error;
    throw corrupt("more than this runtime can build", error); // a RangeError of stack, length or memory
  }
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

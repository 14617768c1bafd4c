/**
 * The codec as the rest of memwire uses it: it encodes into a buffer that is used again, and decodes
 * from the middle of a receive buffer.
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

/** The encoder that is free. It is taken while it works, so that a getter that encodes gets another one. */
let idle: Encoder | undefined;

/**
 * Encodes a value into the codec's own buffer. By default an instance of a class is encoded as what its
 * `toJSON` returns, as the client and the sessions store it.
 *
 * @param value Anything that the format can hold.
 * @param options The limits, and what is left out of a value.
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
 * Encodes a value into bytes that the caller may keep.
 *
 * @param value Anything that the format can hold.
 * @param options The limits, and what is left out of a value.
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
 * Decodes `bytes[start]` to `bytes[end - 1]`. The result shares no memory with `bytes`.
 *
 * @param bytes The bytes that hold the value. A `Buffer` is faster, because any other view is wrapped in one.
 * @param start The offset of the value's first byte.
 * @param end The offset after its last byte.
 * @param options The limits.
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
    // A RangeError: the stack, a length or memory is at its limit.
    throw corrupt("it holds more than this runtime can build", error);
  }
}

/** Whether `maxDepth` allowed more than the stack has room for. Every engine's message says "call stack". */
function stackOverflowed(error: unknown): boolean {
  return error instanceof RangeError && error.message.includes("call stack");
}

function tooDeep(cause: unknown): SerializationError {
  return new SerializationError("cannot store a value nested deeper than the stack", {
    path: "",
    cause,
  });
}

/**
 * Bytes that a caller passes in. The caller can transfer the buffer to a thread, shrink it or overwrite it as
 * soon as the call has returned, and a subclass can report a wrong length. None of that may reach the wire,
 * because each command announces how many bytes follow.
 */
import { invalidType } from "../../errors.ts";
import { UNCOPIED_BYTES } from "../../protocol/write_buffer.ts";

// TypeScript does not know the getters of the class that all typed arrays inherit from.
const getters = Object.getOwnPropertyDescriptors(
  Object.getPrototypeOf(Uint8Array.prototype),
) as Record<
  "buffer" | "byteLength" | "byteOffset",
  { get(): never }
>;
const trueBuffer: (this: Uint8Array) => ArrayBuffer = getters.buffer.get;
const trueLength: (this: Uint8Array) => number = getters.byteLength.get;
const trueOffset: (this: Uint8Array) => number = getters.byteOffset.get;

/** The bytes of a Uint8Array or an ArrayBuffer; undefined for other values. Throws a TypeError if they are gone. */
export function bytesOf(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return takeBytes(value);
  return value instanceof ArrayBuffer ? takeBytes(viewOf(value)) : undefined;
}

/**
 * The caller's bytes, checked. Values of UNCOPIED_BYTES or more are copied here, because the socket keeps such
 * bytes without copying them. Smaller ones are copied when they are encoded, or by `keptValue`.
 */
export function takeBytes(bytes: Uint8Array): Uint8Array {
  const length = trueLength.call(bytes);
  // A buffer that is gone has length 0, so this is the only case to check for it.
  if (length === 0) return viewOf(bytes);
  if (length >= UNCOPIED_BYTES) return new Uint8Array(bytes);
  if (length === bytes.byteLength) return bytes;
  return new Uint8Array(trueBuffer.call(bytes), trueOffset.call(bytes), length);
}

function viewOf(source: Uint8Array | ArrayBuffer): Uint8Array {
  try {
    return source instanceof ArrayBuffer ? new Uint8Array(source) : new Uint8Array(source);
  } catch {
    throw invalidType(
      "the bytes are gone: their buffer was transferred or shrunk before the call",
    );
  }
}

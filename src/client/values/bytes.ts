/**
 * Bytes that a caller hands in. His buffer can be transferred to a thread, shrunk or written over as soon as
 * the call has returned, and a class of his own can tell a wrong length. None of that may reach the wire,
 * where each command says how many bytes follow.
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

/** The bytes that a value is by itself; undefined: it is no bytes. Throws a TypeError if they are gone. */
export function bytesOf(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return takeBytes(value);
  return value instanceof ArrayBuffer ? takeBytes(viewOf(value)) : undefined;
}

/**
 * The caller's bytes, checked. From UNCOPIED_BYTES on they are a copy, for the socket keeps those as they are;
 * fewer are copied when they are encoded, or by `keptValue`.
 */
export function takeBytes(bytes: Uint8Array): Uint8Array {
  const length = trueLength.call(bytes);
  // Only here can the buffer be gone.
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
      "the bytes are gone: their buffer was transferred, or shrunk, before the call",
    );
  }
}

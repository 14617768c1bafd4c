/**
 * Bytes for callers to keep. Memory of its own costs a small value 400 ns in V8, half of what its encoding
 * takes. So small values are written into a piece of the runtime's pool for Buffers, one after another,
 * and cut off where they are. The pool cannot be transferred to another thread, which would take the
 * other values along.
 */
import { Buffer } from "node:buffer";
import type { Encoder } from "./encoder.ts";

/** Less than half of the smallest pool (8 KiB, Node 20), or it would not be from the pool. */
const CHUNK = 4000;

/** With less than that left of it, a chunk is done. */
const LEAST_LEFT = 1000;

/** Bun has no pool, but memory of its own costs 50 ns there. */
const POOLED = Buffer.allocUnsafe(1).buffer.byteLength > 1;

/** The value that the encoder has just written, for the caller to keep. */
export function cutOff(encoder: Encoder): Uint8Array {
  const { buf, start, pos } = encoder;
  const length = pos - start;
  if (buf.length === CHUNK) {
    encoder.start = (pos + 7) & ~7; // even, for the padding of two-byte strings
    if (CHUNK - encoder.start < Math.max(length, LEAST_LEFT)) useChunk(encoder);
    return new Uint8Array(buf.buffer as ArrayBuffer, buf.byteOffset + start, length);
  }
  const bytes = new Uint8Array(length);
  bytes.set(encoder.written());
  encoder.start = 0;
  if (POOLED && length < LEAST_LEFT) useChunk(encoder);
  return bytes;
}

function useChunk(encoder: Encoder): void {
  encoder.buf = Buffer.allocUnsafe(CHUNK);
  encoder.start = 0;
}

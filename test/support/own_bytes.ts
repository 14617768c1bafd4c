/** Checks that bytes belong to the caller alone: over a buffer of exactly their size that nobody else has. */
import assert from "node:assert/strict";

/** Yields every view and ArrayBuffer in a value, each once. */
export function buffersIn(value: unknown, seen: Set<unknown> = new Set()): object[] {
  if (typeof value !== "object" || value === null || seen.has(value)) return [];
  seen.add(value);
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return [value];
  const inside = value instanceof Map
    ? [...value.keys(), ...value.values()]
    : value instanceof Set
    ? [...value]
    : Object.values(value);
  return inside.flatMap((one) => buffersIn(one, seen));
}

/**
 * Asserts that the bytes of each value are over a buffer of exactly their size that no other value shares, so
 * that they can be transferred to a thread and nothing else with them. Returns how many there were.
 */
export function assertOwnBytes(values: readonly unknown[]): number {
  const found = values.flatMap((value) => buffersIn(value));
  const buffers = new Set<unknown>();
  for (const one of found) {
    const buffer = ArrayBuffer.isView(one) ? one.buffer : one as ArrayBuffer;
    assert.ok(buffer instanceof ArrayBuffer);
    if (ArrayBuffer.isView(one)) {
      assert.deepEqual([one.byteOffset, buffer.byteLength], [0, one.byteLength]);
    }
    assert.ok(!buffers.has(buffer), "two values share a buffer");
    buffers.add(buffer);
  }
  for (const one of found) {
    const copy = structuredClone(one);
    const size = (one as Uint8Array).byteLength;
    assert.equal(((copy as Uint8Array).buffer ?? copy).byteLength, size);
    const buffer = (ArrayBuffer.isView(one) ? one.buffer : one) as ArrayBuffer;
    assert.equal(structuredClone(buffer, { transfer: [buffer] }).byteLength, size);
  }
  return found.length;
}

/** Asserts that the value is a plain `Uint8Array`: a Buffer's `slice` is a view on the same bytes. */
export function assertPlain(value: unknown): asserts value is Uint8Array {
  assert.ok(value instanceof Uint8Array);
  assert.equal(Object.getPrototypeOf(value), Uint8Array.prototype);
}

/** The view classes that every runtime has. */

/** Makes a view on a buffer. */
export interface ViewClass {
  readonly name: string;
  readonly BYTES_PER_ELEMENT?: number;
  new (buffer: ArrayBuffer, offset?: number, length?: number): ArrayBufferView;
}

export const VIEWS: readonly ViewClass[] = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
];

/** The bytes of one element; a DataView counts in bytes. */
export function elementSize(View: ViewClass): number {
  return View.BYTES_PER_ELEMENT ?? 1;
}

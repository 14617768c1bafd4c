/**
 * Views on buffers: their numbers in the host object that Node and Deno write (`\`), and the letters
 * of plain V8's own view tag (`V`), which is only read.
 */
import { Buffer } from "node:buffer";

/** Makes a view of a whole number of elements. */
export interface ViewConstructor {
  readonly name: string;
  readonly prototype: object;
  new (buffer: ArrayBuffer, offset?: number, length?: number): ArrayBufferView;
  readonly BYTES_PER_ELEMENT?: number;
}

const Float16 = (globalThis as { Float16Array?: ViewConstructor }).Float16Array;

/** By host index; a hole where this runtime has no such class. */
export const HOST_VIEWS: readonly (ViewConstructor | undefined)[] = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  DataView,
  Buffer as unknown as ViewConstructor,
  BigInt64Array,
  BigUint64Array,
  Float16,
];

/** The host index of `Uint8Array`. */
export const BYTES_INDEX = 1;
/** The host index of `Buffer`. */
export const BUFFER_INDEX = 10;
/** The host index of `DataView`. */
export const DATA_VIEW_INDEX = 9;

/** Host indexes by the letter of a `V` view. */
export const VIEW_LETTERS: Readonly<Record<string, number>> = {
  b: 0,
  B: 1,
  C: 2,
  w: 3,
  W: 4,
  d: 5,
  D: 6,
  f: 7,
  F: 8,
  "?": 9,
  q: 11,
  Q: 12,
  h: 13,
};

const typedArrayName = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)?.get as (this: unknown) => string | undefined;

const INDEXES: ReadonlyMap<string | undefined, number> = new Map([
  ...HOST_VIEWS.map((view, index) => [view?.name, index] as const),
  [undefined, DATA_VIEW_INDEX],
]);

/** The host index of a view; of a subclass its base's; -1 when the format has none. */
export function hostIndex(view: ArrayBufferView): number {
  if (Object.getPrototypeOf(view) === Buffer.prototype) return BUFFER_INDEX;
  return INDEXES.get(typedArrayName.call(view)) ?? -1;
}

/**
 * The classes of views on buffers: their indexes in the host object that Node and Deno write (`\`), and their
 * letters in plain V8's view tag (`V`), which memwire reads but never writes.
 */
import { Buffer } from "node:buffer";

/** The constructor of a view. */
export interface ViewConstructor {
  readonly name: string;
  readonly prototype: object;
  new (buffer: ArrayBuffer, offset?: number, length?: number): ArrayBufferView;
  readonly BYTES_PER_ELEMENT?: number;
}

const Float16 = (globalThis as { Float16Array?: ViewConstructor }).Float16Array;

/** The classes by host index; undefined if this runtime lacks the class. */
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
const DATA_VIEW_INDEX = 9;

/** Host indexes by the letter that a `V` view has. */
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

/** Returns a view's host index (a subclass has its base's), or -1 if the format has none. */
export function hostIndex(view: ArrayBufferView): number {
  if (Object.getPrototypeOf(view) === Buffer.prototype) return BUFFER_INDEX;
  return INDEXES.get(typedArrayName.call(view)) ?? -1;
}

import { Buffer } from "node:buffer";
import type { Entry } from "./corpus.ts";
import { elementSize, VIEWS } from "./view_classes.ts";

type Resizable = new (length: number, options: { maxByteLength: number }) => ArrayBuffer;

/** A buffer that may grow. */
function resizable(length: number, maxByteLength: number, fill = 7): ArrayBuffer {
  const buffer = new (ArrayBuffer as Resizable)(length, { maxByteLength });
  new Uint8Array(buffer).fill(fill);
  return buffer;
}

function bytes(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => i * 37);
}

function float16(elements: number[]): unknown {
  const { Float16Array } = globalThis as { Float16Array?: new (elements: number[]) => unknown };
  return new (Float16Array as new (elements: number[]) => unknown)(elements);
}

export const buffers: readonly Entry[] = [
  { name: "buffer: empty", make: () => new ArrayBuffer(0) },
  { name: "buffer: of 5", make: () => bytes(5).buffer },
  { name: "buffer: of 300", make: () => bytes(300).buffer },
  { name: "buffer: of 40,000", make: () => bytes(40_000).buffer },
  { name: "buffer: twice the same", make: () => ((b) => [b, b])(bytes(3).buffer) },
  { name: "resizable: empty", make: () => resizable(0, 0) },
  { name: "resizable: may grow", make: () => resizable(4, 100) },
  { name: "resizable: full", make: () => resizable(64, 64) },
  {
    name: "resizable: in an object",
    make: () => ({ a: resizable(1, 2), b: resizable(200, 70_000) }),
  },
  ...VIEWS.map((View): Entry => ({
    name: `view: ${View.name} of 16 bytes`,
    make: () => new View(bytes(16).buffer),
  })),
  ...VIEWS.map((View): Entry => ({
    name: `view: empty ${View.name}`,
    make: () => new View(new ArrayBuffer(0)),
  })),
  ...VIEWS.map((View): Entry => ({
    name: `view: a part of a buffer as ${View.name}`,
    make: () => new View(bytes(64).buffer, 8, 16 / elementSize(View)),
    reads: () => new View(bytes(64).slice(8, 24).buffer),
  })),
  { name: "view: NaN in floats", make: () => Float64Array.of(NaN, -0, 1e300, Infinity) },
  { name: "view: bytes of 3000", make: () => bytes(3000) },
  {
    name: "view: two of one buffer come apart",
    make: () => ((b) => [new Uint8Array(b, 0, 2), new Uint8Array(b, 1, 2)])(bytes(4).buffer),
    reads: () => [bytes(2), bytes(3).slice(1)],
  },
  { name: "view: twice the same", make: () => ((v) => [v, v])(bytes(4)) },
  {
    name: "view: of a class",
    make: () => new (class Sub extends Uint8Array<ArrayBuffer> {})(bytes(2).buffer),
    reads: () => bytes(2),
  },
  {
    name: "view: of a resizable buffer",
    make: () => new Uint8Array(resizable(4, 9)),
    reads: () => new Uint8Array(4).fill(7),
  },
  {
    name: "view: of shared memory",
    make: () => new Uint8Array(new SharedArrayBuffer(3)).fill(1),
    reads: () => Uint8Array.of(1, 1, 1),
  },
  {
    name: "view: own properties are lost",
    make: () => Object.assign(bytes(2), { own: 1 }),
    reads: () => bytes(2),
  },
  { name: "view: Float16Array", needs: "Float16Array", make: () => float16([1.5, -0, NaN, 65504]) },
  { name: "view: empty Float16Array", needs: "Float16Array", make: () => float16([]) },
  { name: "Buffer: empty", make: () => Buffer.alloc(0) },
  { name: "Buffer: text", make: () => Buffer.from("hällo") },
  { name: "Buffer: a part", make: () => Buffer.from("0123456789").subarray(3, 5) },
  { name: "Buffer: of 10,000", make: () => Buffer.from(bytes(10_000).buffer) },
  { name: "Buffer: in an object", make: () => ({ token: Buffer.from("secret"), n: 1 }) },
];

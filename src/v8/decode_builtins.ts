/** Decodes the objects that are neither plain nor arrays, with one function for each kind. */
import { Buffer } from "node:buffer";
import type { Decoder } from "./decoder.ts";
import type { KnownKey } from "./known_keys.ts";
import { COSTLY_WEIGHT, REGEXP_FLAGS } from "./limits.ts";
import { corrupt } from "./reader.ts";
import {
  BUFFER_INDEX,
  BYTES_INDEX,
  HOST_VIEWS,
  VIEW_LETTERS,
  type ViewConstructor,
} from "./views.ts";

/** Reads the object that follows `tag`. */
export function readBuiltin(decoder: Decoder, tag: number, within: KnownKey): unknown {
  // Every object counts but Dates and boxed numbers.
  if (tag !== 0x44 && tag !== 0x6e) {
    decoder.takeHeavy(tag === 0x72 || tag === 0x52 ? COSTLY_WEIGHT : 1);
  }
  switch (tag) {
    case 0x44: // D
      return leaf(decoder, new Date(decoder.double()));
    case 0x3b: // ;
      return readMap(decoder, within);
    case 0x27: // '
      return readSet(decoder, within);
    case 0x5c: // \
      return readHostObject(decoder);
    case 0x72: // r
      return readError(decoder, within);
    case 0x52: // R
      return readRegExp(decoder);
    case 0x42: // B
      return readArrayBuffer(decoder);
    case 0x7e: // ~
      return readResizableBuffer(decoder);
    case 0x6e: // n
      return leaf(decoder, Object(decoder.double()));
    case 0x79: // y
      return leaf(decoder, Object(true));
    case 0x78: // x
      return leaf(decoder, Object(false));
    case 0x7a: // z
      return leaf(decoder, Object(decoder.bigint()));
    case 0x73: // s
      return leaf(decoder, Object(decoder.string()));
    default:
      // Shared memory, transferred buffers and WebAssembly (t u w m p) make sense in one process only.
      throw corrupt("it has an unknown tag");
  }
}

/** Gives an id to an object that holds no others. */
function leaf<T extends object>(decoder: Decoder, object: T): T {
  return decoder.close(decoder.open(object));
}

/** `;`: keys and values in turn up to `:`, then the number of keys and values together. */
function readMap(decoder: Decoder, within: KnownKey): Map<unknown, unknown> {
  const map = decoder.open(new Map<unknown, unknown>());
  let count = 0;
  for (; !decoder.takes(0x3a); count += 2) {
    const key = decoder.value(within);
    map.set(key, decoder.value(within));
  }
  if (decoder.varint() !== count) throw corrupt("it has a wrong count");
  return decoder.close(map);
}

/** `'`: members up to `,`, then their count. */
function readSet(decoder: Decoder, within: KnownKey): Set<unknown> {
  const set = decoder.open(new Set<unknown>());
  let count = 0;
  for (; !decoder.takes(0x2c); count++) set.add(decoder.value(within));
  if (decoder.varint() !== count) throw corrupt("it has a wrong count");
  return decoder.close(set);
}

/** `R`: source and flag bits. */
function readRegExp(decoder: Decoder): RegExp {
  const source = decoder.string();
  const bits = decoder.varint();
  if (bits >>> REGEXP_FLAGS.length !== 0) {
    throw corrupt("it has a regular expression with an unknown flag");
  }
  if (!decoder.budget.takePattern(source)) throw corrupt("its regular expressions are too long");
  const flags = Array.from(REGEXP_FLAGS).filter((_, bit) => bits & (1 << bit)).join("");
  try {
    return leaf(decoder, new RegExp(source, flags));
  } catch { // no cause, because the engine's message quotes the pattern
    throw corrupt("it has a regular expression that this runtime refuses");
  }
}

const ERRORS: Readonly<Record<string, new () => Error>> = {
  E: EvalError,
  R: RangeError,
  F: ReferenceError,
  S: SyntaxError,
  T: TypeError,
  U: URIError,
};

/**
 * `r`: the class, then message `m`, stack `s` and cause `c` up to `.`. The message comes first, the others
 * in any order (Node 18 and 20 put the cause before the stack).
 */
function readError(decoder: Decoder, within: KnownKey): Error {
  let part = decoder.byte();
  let Class: new (message?: string) => Error = Error;
  const letter = String.fromCharCode(part);
  if (Object.hasOwn(ERRORS, letter)) {
    Class = ERRORS[letter] as typeof Class;
    part = decoder.byte();
  }
  let message: string | undefined;
  if (part === 0x6d) { // m
    message = decoder.string();
    part = decoder.byte();
  }
  const error = decoder.open(errorWithoutStack(Class, message));
  for (; part !== 0x2e; part = decoder.byte()) { // .
    if (part === 0x6d) hidden(error, "message", decoder.string()); // m
    else if (part === 0x73) hidden(error, "stack", decoder.string()); // s
    else if (part === 0x63) hidden(error, "cause", decoder.value(within)); // c
    else throw corrupt("it has an error with an unknown part");
  }
  if (!("stack" in error)) hidden(error, "stack", String(error)); // Bun gave the error no stack
  return decoder.close(error);
}

/** Makes an error whose stack is only its first line, because a real stack would name this codec's lines. */
function errorWithoutStack(Class: new (message?: string) => Error, message?: string): Error {
  const limit = Error.stackTraceLimit;
  Reflect.set(Error, "stackTraceLimit", 0); // if Error is frozen, this does nothing and throws nothing
  const error = new Class(message);
  Reflect.set(Error, "stackTraceLimit", limit);
  return error;
}

function hidden(error: Error, name: string, value: unknown): void {
  Object.defineProperty(error, name, {
    value,
    writable: true,
    enumerable: false,
    configurable: true,
  });
}

/** `B`: length and bytes. */
function readArrayBuffer(decoder: Decoder): object {
  return readViewsOf(decoder, leaf(decoder, decoder.copy(decoder.varint()).buffer));
}

/** `~`: length, the length that it may grow to, bytes. */
function readResizableBuffer(decoder: Decoder): object {
  const length = decoder.varint();
  const maxByteLength = decoder.varint();
  if (length > maxByteLength) throw corrupt("it has a buffer longer than the buffer's own limit");
  if (!decoder.budget.takeResizable(maxByteLength)) {
    throw corrupt("its resizable buffers are too large");
  }
  const bytes = decoder.copy(length);
  const Resizable = ArrayBuffer as new (
    length: number,
    options: { maxByteLength: number },
  ) => ArrayBuffer;
  const buffer = new Resizable(length, { maxByteLength });
  new Uint8Array(buffer).set(bytes);
  return readViewsOf(decoder, leaf(decoder, buffer));
}

/** `V`: the view that plain V8 writes after a buffer; the buffer itself if no view follows. */
export function readViewsOf(decoder: Decoder, buffer: ArrayBuffer): object {
  if (!decoder.takes(0x56)) return buffer; // V
  const index = VIEW_LETTERS[String.fromCharCode(decoder.varint())];
  const offset = decoder.varint();
  const length = decoder.varint();
  const flags = decoder.version >= 14 ? decoder.varint() : 0;
  const View = viewClass(index);
  const size = View.BYTES_PER_ELEMENT ?? 1;
  const fits = offset <= buffer.byteLength && length <= buffer.byteLength - offset;
  if (!fits || offset % size !== 0 || length % size !== 0) {
    throw corrupt("it has a view that does not fit its buffer");
  }
  const tracksLength = flags & 1;
  if (tracksLength && !(buffer as { resizable?: boolean }).resizable) {
    throw corrupt("it has a view that tracks the length of a buffer of fixed length");
  }
  decoder.takeHeavy(1);
  const view = tracksLength ? new View(buffer, offset) : new View(buffer, offset, length / size);
  return leaf(decoder, view);
}

/** `\`: a view as Node and Deno write it: the index of its class, length and bytes. */
function readHostObject(decoder: Decoder): object {
  const index = decoder.varint();
  const length = decoder.varint();
  const View = viewClass(index);
  const size = View.BYTES_PER_ELEMENT ?? 1;
  if (length % size !== 0) throw corrupt("it has a view that ends within an element");
  if (index === BYTES_INDEX) return leaf(decoder, decoder.copy(length));
  if (index === BUFFER_INDEX) return leaf(decoder, Buffer.from(decoder.copy(length).buffer));
  return leaf(decoder, new View(decoder.copy(length).buffer));
}

function viewClass(index: number | undefined): ViewConstructor {
  const View = HOST_VIEWS[index ?? -1];
  if (View === undefined) throw corrupt("it has a view of a class that this runtime lacks");
  return View;
}

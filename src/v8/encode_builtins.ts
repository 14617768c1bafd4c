/** Encodes the objects that are neither plain nor arrays, with one function for each kind. */
import type { Encoder } from "./encoder.ts";
import type { KnownKey } from "./known_keys.ts";
import { type Kind, kindOf, refusal } from "./kinds.ts";
import {
  COSTLY_WEIGHT,
  MAX_PATTERNS,
  MAX_PROPERTY_ESCAPES,
  MAX_RESIZABLE,
  REGEXP_FLAGS,
} from "./limits.ts";
import { hostIndex } from "./views.ts";

/** An ES2024 buffer. Node 20 has it, but ES2023's type library does not; in Deno's its fields are required. */
type MaybeResizable = ArrayBuffer & {
  readonly resizable?: boolean;
  readonly maxByteLength?: number;
};

/** Writes an object whose prototype is not `Object.prototype`. */
export function writeBuiltin(encoder: Encoder, object: object, within: KnownKey): void {
  if (Object.getPrototypeOf(object) === Date.prototype && writeDate(encoder, object)) return;
  const kind = ArrayBuffer.isView(object) ? "view" : kindOf(object);
  const weight = weightOf(kind);
  if (weight > 0) encoder.budget.takeHeavy(weight, Infinity);
  switch (kind) {
    case "Map":
      return writeMap(encoder, object as Map<unknown, unknown>, within);
    case "Set":
      return writeSet(encoder, object as Set<unknown>, within);
    case "Date":
      writeDate(encoder, object);
      return;
    case "RegExp":
      return writeRegExp(encoder, object as RegExp);
    case "Error":
      return writeError(encoder, object as Error, within);
    case "ArrayBuffer":
      return writeArrayBuffer(encoder, object as MaybeResizable);
    case "view":
      return writeView(encoder, object as ArrayBufferView);
    case "Number":
      encoder.byte(0x6e); // n
      return encoder.double(Number.prototype.valueOf.call(object));
    case "Boolean":
      return encoder.byte(Boolean.prototype.valueOf.call(object) ? 0x79 : 0x78); // y x
    case "BigInt":
      encoder.byte(0x7a); // z
      return encoder.bigint(BigInt.prototype.valueOf.call(object));
    case "String":
      encoder.byte(0x73); // s
      return encoder.string(String.prototype.valueOf.call(object));
    case "plain":
      if (encoder.asJson && isShapeless(object)) {
        throw encoder.unstorableHere("an instance of a class without fields and without toJSON");
      }
      return encoder.plain(object, within, true);
    default:
      throw encoder.unstorableHere(refusal(object) ?? "an object of an unknown kind");
  }
}

/** Whether the format has no tag for an object, and its `toJSON` says what to store. */
export function hasToJson(object: object): object is { toJSON(key: string): unknown } {
  if (typeof (object as { toJSON?: unknown }).toJSON !== "function") return false;
  if (Object.getPrototypeOf(object) === Date.prototype || ArrayBuffer.isView(object)) return false;
  const kind = kindOf(object);
  return kind === undefined || kind === "plain";
}

/** Whether nothing of an instance would be stored. A plain object of another realm is not an instance. */
function isShapeless(object: object): boolean {
  return Object.keys(object).length === 0 &&
    Object.getPrototypeOf(Object.getPrototypeOf(object)) !== null;
}

/** `D`: milliseconds since 1970. Returns false if it is not a Date. Sessions have many, so this check is first. */
function writeDate(encoder: Encoder, object: object): boolean {
  let time: number;
  try {
    time = Date.prototype.getTime.call(object);
  } catch {
    return false;
  }
  encoder.byte(0x44); // D
  encoder.double(time);
  return true;
}

/** How much an object counts, because it takes far more memory than the bytes that encode it. */
function weightOf(kind: Kind | "view" | undefined): number {
  if (kind === "plain" || kind === "Date" || kind === "Number") return 0;
  return kind === "Error" || kind === "RegExp" ? COSTLY_WEIGHT : 1;
}

/** `;`: keys and values in turn, then the number of both. They are copied first: a getter may change the Map. */
function writeMap(encoder: Encoder, map: Map<unknown, unknown>, within: KnownKey): void {
  const members: unknown[] = [];
  Map.prototype.forEach.call(map, (value, key) => members.push(key, value));
  encoder.byte(0x3b); // ;
  for (let i = 0; i < members.length; i++) {
    encoder.step(i >> 1);
    encoder.room(16);
    encoder.value(members[i], within);
  }
  encoder.room(6);
  encoder.byte(0x3a); // :
  encoder.varint(members.length);
}

/** `'`: members, then their number. */
function writeSet(encoder: Encoder, set: Set<unknown>, within: KnownKey): void {
  const members: unknown[] = [];
  Set.prototype.forEach.call(set, (member) => members.push(member));
  encoder.byte(0x27); // '
  for (let i = 0; i < members.length; i++) {
    encoder.step(i);
    encoder.room(16);
    encoder.value(members[i], within);
  }
  encoder.room(6);
  encoder.byte(0x2c); // ,
  encoder.varint(members.length);
}

/** `R`: source and flag bits. The format has no place for `lastIndex`. */
function writeRegExp(encoder: Encoder, regexp: RegExp): void {
  const { source, flags } = regexp;
  if (!encoder.budget.takePattern(source)) {
    throw encoder.unstorableHere(
      `regular expressions of more than ${MAX_PATTERNS} characters or ` +
        `${MAX_PROPERTY_ESCAPES} property escapes`,
    );
  }
  let bits = 0;
  for (const flag of flags) {
    const bit = REGEXP_FLAGS.indexOf(flag);
    if (bit < 0) throw encoder.unstorableHere("a regular expression with an unknown flag");
    bits |= 1 << bit;
  }
  encoder.byte(0x52); // R
  encoder.string(source);
  encoder.room(5);
  encoder.varint(bits);
}

const ERROR_LETTERS: Readonly<Record<string, number>> = {
  EvalError: 0x45, // E
  RangeError: 0x52, // R
  ReferenceError: 0x46, // F
  SyntaxError: 0x53, // S
  TypeError: 0x54, // T
  URIError: 0x55, // U
};

/**
 * `r`: the class by its `name`, then message, stack and cause in the order that Node 22 and later require.
 * As in `node:v8`, message and cause count only if they are own data properties.
 */
function writeError(encoder: Encoder, error: Error, within: KnownKey): void {
  encoder.room(20); // for three tags and the cause
  encoder.byte(0x72); // r
  const name = String(error.name);
  if (Object.hasOwn(ERROR_LETTERS, name)) encoder.byte(ERROR_LETTERS[name]!);
  const message = Object.getOwnPropertyDescriptor(error, "message");
  if (message !== undefined && "value" in message) {
    encoder.byte(0x6d); // m
    encoder.string(String(message.value));
    encoder.room(20);
  }
  if (encoder.errorStacks && typeof error.stack === "string") {
    encoder.byte(0x73); // s
    encoder.string(error.stack);
    encoder.room(20);
  }
  const cause = Object.getOwnPropertyDescriptor(error, "cause");
  if (cause !== undefined && "value" in cause) {
    encoder.byte(0x63); // c
    encoder.step("cause");
    encoder.value(cause.value, within);
    encoder.room(8);
  }
  encoder.byte(0x2e); // .
}

/** `B`: length and bytes. `~`, for a resizable buffer: length, limit, bytes. */
function writeArrayBuffer(encoder: Encoder, buffer: MaybeResizable): void {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(buffer);
  } catch (cause) {
    throw encoder.unstorableHere("a detached ArrayBuffer", cause);
  }
  if (!buffer.resizable) {
    encoder.byte(0x42); // B
    return encoder.sized(bytes);
  }
  const most = buffer.maxByteLength!;
  if (!encoder.budget.takeResizable(most)) {
    throw encoder.unstorableHere(`resizable buffers of more than ${MAX_RESIZABLE} bytes`);
  }
  encoder.byte(0x7e); // ~
  encoder.varint(bytes.length);
  encoder.varint(most);
  encoder.raw(bytes);
}

/** `\`: the bytes that the view shows, and nothing else of its buffer. */
function writeView(encoder: Encoder, view: ArrayBufferView): void {
  const index = hostIndex(view);
  if (index < 0) throw encoder.unstorableHere("a view of an unknown type");
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  } catch (cause) {
    throw encoder.unstorableHere("a view of a detached or shrunken buffer", cause);
  }
  encoder.byte(0x5c); // \
  encoder.varint(index);
  encoder.sized(bytes);
}

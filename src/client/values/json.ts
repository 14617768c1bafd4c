/** JSON, the format for objects that clients in different languages share. */
import type { Buffer } from "node:buffer";
import { CorruptValueError, SerializationError } from "../../errors.ts";
import { readText } from "./reading.ts";
import { unstorable } from "./table.ts";

/**
 * The JSON of a value. Throws a SerializationError with the path of anything that JSON would silently drop or
 * change: functions, symbols, bigints, NaN and Infinity, Maps, Sets, typed arrays, and instances that have
 * neither fields nor `toJSON`. Properties that are undefined are left out, as always in JSON.
 */
export function writeJson(value: unknown, client: string): string {
  const paths = new Map<object, string>();
  const check = function (this: object, name: string, part: unknown): unknown {
    const holder = paths.get(this);
    const step = Array.isArray(this) ? `[${name}]` : holder === "" ? name : `.${name}`;
    const path = holder === undefined ? "" : `${holder}${step}`;
    const refused = refusal(part, Array.isArray(this));
    if (refused !== undefined) throw unstorable(client, refused, path);
    if (typeof part === "object" && part !== null) paths.set(part, path);
    return part;
  };
  let text: string | undefined;
  try {
    text = JSON.stringify(value, check);
  } catch (cause) {
    if (cause instanceof SerializationError) throw cause;
    throw new SerializationError(`${client} cannot store a value that has no JSON`, {
      path: "",
      cause,
    });
  }
  if (text === undefined) throw unstorable(client, "an object whose toJSON returns undefined");
  return text;
}

/** What is wrong with a value that must not go into JSON, or undefined if it may. */
function refusal(value: unknown, inArray: boolean): string | undefined {
  switch (typeof value) {
    case "function":
    case "symbol":
    case "bigint":
      return `a ${typeof value}`;
    case "number":
      return Number.isFinite(value) ? undefined : "NaN or Infinity within JSON";
    case "undefined":
      return inArray ? "undefined as a member of an array" : undefined;
    case "object":
      return value === null || Array.isArray(value) ? undefined : refusalOfObject(value);
    default:
      return undefined;
  }
}

function refusalOfObject(value: object): string | undefined {
  if (ArrayBuffer.isView(value)) return "bytes within an object";
  const prototype: unknown = Object.getPrototypeOf(value);
  // Another realm (a vm context, such as Jest's) has its own Object.prototype.
  if (prototype === null || Object.getPrototypeOf(prototype) === null) return undefined;
  const boxed = value instanceof Number || value instanceof String || value instanceof Boolean;
  if (boxed || Object.keys(value).length > 0) return undefined;
  return "an object that has no fields and no toJSON";
}

/** The value of a JSON text. */
export function readJson(bytes: Buffer, from: number, to: number, flags: number): unknown {
  const text = readText(bytes, from, to, flags);
  try {
    return JSON.parse(text);
  } catch {
    // Leave out the cause: its message contains a piece of the value.
    throw new CorruptValueError(`flags ${flags}: the value is not JSON`, { flags });
  }
}

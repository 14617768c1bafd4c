/**
 * Checks of single arguments: durations, counts, words. Each returns the value that it has checked, and
 * throws a `TypeError` or `RangeError` for any other.
 */
import { invalidRange, invalidType } from "../errors.ts";

// The longest delay that timers take.
const MAX_MS = 2 ** 31 - 1;

/** A duration in milliseconds. */
export function checkMs(value: unknown, name: string): number {
  if (typeof value !== "number") {
    throw invalidType(`${name} must be a number of milliseconds, not ${kindOf(value)}`);
  }
  if (!(value > 0 && value <= MAX_MS)) {
    throw invalidRange(
      `${name} must be more than 0 and at most ${MAX_MS} milliseconds, not ${value}`,
    );
  }
  return value;
}

/** A number of seconds, rounded up. */
export function checkSeconds(value: unknown, name: string, least: number, most: number): number {
  if (typeof value !== "number") {
    throw invalidType(`${name} must be a number of seconds, not ${kindOf(value)}`);
  }
  if (!(value >= least && value <= most)) {
    const finite = most === Infinity ? "" : "a finite number of ";
    throw invalidRange(`${name} must be ${finite}${least} or more seconds, not ${value}`);
  }
  return Math.ceil(value);
}

/** A whole number from `least` to `most`. */
export function checkWhole(
  value: unknown,
  name: string,
  least: number,
  most: number = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value !== "number") {
    throw invalidType(`${name} must be a number, not ${kindOf(value)}`);
  }
  if (!Number.isInteger(value) || value < least || value > most) {
    const range = most === Number.MAX_SAFE_INTEGER
      ? `of at least ${least}`
      : `from ${least} to ${most}`;
    throw invalidRange(`${name} must be a whole number ${range}, not ${value}`);
  }
  return value;
}

/** true or false, and no value that only counts as one of them. */
export function checkBoolean(value: unknown, name: string): boolean {
  if (typeof value === "boolean") return value;
  throw invalidType(`${name} must be true or false, not ${kindOf(value)}`);
}

/** A text that is not empty. */
export function checkText(value: unknown, name: string): string {
  if (typeof value !== "string") {
    throw invalidType(`${name} must be a string, not ${kindOf(value)}`);
  }
  if (value === "") throw invalidType(`${name} must not be empty`);
  return value;
}

/** One of a few words. */
export function oneOf<W extends string>(value: unknown, words: readonly W[], name: string): W {
  const found = words.find((word) => word === value);
  if (found !== undefined) return found;
  throw invalidType(`${name} must be one of ${words.map((word) => `"${word}"`).join(", ")}`);
}

/** An object to iterate over. A string is refused, since nobody means its characters. */
export function checkIterable<T>(list: Iterable<T>, name: string): Iterable<T> {
  if (typeof list !== "object" || typeof list?.[Symbol.iterator] !== "function") {
    throw invalidType(`${name} must be an array, a Set, a Map or another iterable object`);
  }
  return list;
}

/** A function; `rule` is the message for anything else. */
export function checkFunction(value: unknown, rule: string): void {
  if (typeof value !== "function") throw invalidType(rule);
}

/** A signal, of this realm or another. */
export function checkSignal(value: unknown): AbortSignal {
  if (isSignal(value)) return value;
  throw invalidType(`signal must be an AbortSignal, not ${kindOf(value)}`);
}

function isSignal(value: unknown): value is AbortSignal {
  return typeof value === "object" && value !== null && "addEventListener" in value &&
    typeof value.addEventListener === "function";
}

/** An object with a serializer's two functions. */
export function checkSerializer<S>(value: S): S {
  const { serialize, deserialize } = (value ?? {}) as Record<string, unknown>;
  if (typeof serialize === "function" && typeof deserialize === "function") return value;
  throw invalidType("serializer must have the functions serialize and deserialize");
}

/** What kind of value it is, for a message that does not show the value itself. */
export function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value !== "object") {
    return typeof value === "undefined" ? "undefined" : `a ${typeof value}`;
  }
  // An object without a prototype has no constructor, and an own property of that name may be anything.
  const name: unknown = value.constructor?.name;
  return typeof name === "string" && name !== "" && name !== "Object" ? `a ${name}` : "an object";
}

/**
 * Reading options objects. An unknown option is refused: otherwise `{ expires: 60 }` would store a value
 * that never expires, and `{ secrets: [...] }` unsealed sessions.
 *
 * Only own enumerable properties count, and each is read once. Inherited ones are neither refused nor
 * read.
 */
import { invalidType } from "../errors.ts";
import { nearestName } from "./names.ts";
import { kindOf } from "./values.ts";

/** What was given for each option; undefined: it was not given. */
export type Given<T> = { -readonly [K in keyof Required<T>]: Required<T>[K] | undefined };

// Longer names are cut off in messages: they are no misspelling and may be anything.
const MAX_SHOWN = 40;

/**
 * Reads the options that were given.
 *
 * @param options What the caller passed; undefined: no options.
 * @param given An object with every known option, each undefined or a mark for "not given". It is filled
 * and returned.
 * @param what How messages name a nested object, for example "auth".
 * @throws {TypeError} `options` is not an object of options, or has an unknown one.
 */
export function readOptions<T extends object>(
  options: T | undefined,
  given: Given<T>,
  what?: string,
): Given<T> {
  if (options === undefined) return given;
  checkObject(options, what ?? "options");
  let empty = true;
  for (const name in options) {
    if (!Object.hasOwn(options, name)) continue;
    if (!Object.hasOwn(given, name)) throw unknownOption(name, Object.keys(given), what);
    given[name] = options[name];
    empty = false;
  }
  if (empty) checkPlain(options, what ?? "options");
  return given;
}

/** Refuses a value that cannot be an options object, whatever it holds. */
export function checkObject(value: unknown, what: string): asserts value is object {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return;
  throw notAnObject(value, what);
}

/** Refuses an object without own properties that is not a plain one: a Map, a Date, a Request. */
export function checkPlain(value: object, what: string): void {
  const prototype: unknown = Object.getPrototypeOf(value);
  // Another realm (a vm context, as Jest makes one) has its own Object.prototype.
  if (prototype === null || Object.getPrototypeOf(prototype) === null) return;
  throw notAnObject(value, what);
}

/** The error for an unknown option. */
export function unknownOption(
  name: string,
  known: readonly string[],
  what?: string,
): TypeError {
  const shown = JSON.stringify(name.length > MAX_SHOWN ? `${name.slice(0, MAX_SHOWN)}...` : name);
  const nearest = nearestName(name, known);
  const where = what === undefined ? "" : `${what}: `;
  return invalidType(
    nearest === undefined
      ? `${where}unknown option ${shown}, expected ${known.join(", ")}`
      : `${where}unknown option ${shown}, did you mean "${nearest}"?`,
  );
}

function notAnObject(value: unknown, what: string): TypeError {
  return invalidType(`${what} must be an object of options, not ${kindOf(value)}`);
}

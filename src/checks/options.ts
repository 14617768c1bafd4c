/**
 * Reading options objects. An option that nobody knows is refused: `{ expires: 60 }` would otherwise be
 * a value that never expires, `{ secrets: [...] }` sessions in the clear.
 *
 * Own enumerable properties count, each read once; what is inherited is neither refused nor read.
 */
import { invalidType } from "../errors.ts";
import { nearestName } from "./names.ts";
import { kindOf } from "./values.ts";

/** What was given for each option; undefined: nothing. */
export type Given<T> = { -readonly [K in keyof Required<T>]: Required<T>[K] | undefined };

// Names longer than this are no misspelling, and may be anything.
const MAX_SHOWN = 40;

/**
 * Takes the options that were given.
 *
 * @param options What the caller passed; undefined: none.
 * @param given An object with every known option, undefined or a mark of what is not given; it is filled
 * and returned.
 * @param what How messages call a nested object: "auth".
 * @throws {TypeError} It is no options object, or has an unknown option.
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

/** Refuses what cannot be an options object, whatever is in it. */
export function checkObject(value: unknown, what: string): asserts value is object {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return;
  throw notAnObject(value, what);
}

/** Refuses an object without own properties that is more than `{}`: a Map, a Date, a Request. */
export function checkPlain(value: object, what: string): void {
  const prototype: unknown = Object.getPrototypeOf(value);
  // Another realm (a vm context, as Jest makes them) has an Object.prototype of its own.
  if (prototype === null || Object.getPrototypeOf(prototype) === null) return;
  throw notAnObject(value, what);
}

/** The error for a name that no option has. */
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

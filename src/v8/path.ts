/**
 * Words for an error message where in a value the part is that cannot be stored. It names properties and
 * positions, never values.
 */
import { SerializationError } from "../errors.ts";

/** A step from a value into it: a property's name, an index or a position. */
export type Step = string | number;

const MAX_NAME = 64;

/** Formats `["user", "cb"]` as `user.cb`, an index or a member's position as `[2]`, other names in quotes. */
function formatPath(steps: readonly Step[]): string {
  let path = "";
  for (const step of steps) {
    if (typeof step === "number") path += `[${step}]`;
    else if (/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(step)) {
      path += (path === "" ? "" : ".") + shorten(step);
    } else path += /^\d+$/.test(step) ? `[${shorten(step)}]` : `[${JSON.stringify(shorten(step))}]`;
  }
  return path;
}

function shorten(name: string): string {
  return name.length > MAX_NAME ? name.slice(0, MAX_NAME) + "..." : name;
}

/** Makes the error for `what` ("a function", for example) at the end of `steps`. */
export function unstorable(what: string, steps: readonly Step[], cause?: unknown): Error {
  const path = formatPath(steps);
  const place = path === "" ? "" : ` at ${path}`;
  return new SerializationError(`cannot store ${what}${place}`, { path, cause });
}

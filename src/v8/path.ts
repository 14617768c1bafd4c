/**
 * Where in a value something is that cannot be stored, in words for an error message: names of
 * properties and positions, never values.
 */
import { SerializationError } from "../errors.ts";

/** A step from a value into it: a property's name, an index or a position. */
export type Step = string | number;

const MAX_NAME = 64;

/** `["user", "cb"]` as `user.cb`; an index or a member's position as `[2]`, other names quoted. */
export function formatPath(steps: readonly Step[]): string {
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

/** The error for a `what` (such as "a function") at the end of `steps`. */
export function unstorable(what: string, steps: readonly Step[], cause?: unknown): Error {
  const path = formatPath(steps);
  const place = path === "" ? "" : ` at ${path}`;
  return new SerializationError(`cannot store ${what}${place}`, { path, cause });
}

/** Data as JSON has it, copied and compared without making text of it. */
import { setField } from "../session/merge.ts";

/** A copy of stored data, for a request to change. */
export function copyJson(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(copyJson);
  const prototype: unknown = Object.getPrototypeOf(value);
  // What somebody else has stored need not be JSON: a Map or a Date.
  if (prototype !== Object.prototype && prototype !== null) return asJson(value);
  const copy: Record<string, unknown> = {};
  for (const name of Object.keys(value)) {
    setField(copy, name, copyJson((value as Record<string, unknown>)[name]));
  }
  return copy;
}

/** What JSON makes of a value; undefined: nothing. Throws what `JSON.stringify` does. */
export function asJson(value: unknown): unknown {
  if (typeof value === "string" || typeof value === "boolean") return value;
  const text = JSON.stringify(value) as string | undefined;
  return text === undefined ? undefined : JSON.parse(text);
}

/**
 * Whether JSON would make of a value what is stored. False where that cannot be told without making it: what has
 * a toJSON, for example.
 */
export function isSameJson(value: unknown, stored: unknown): boolean {
  if (typeof value !== "object" || value === null) return value === stored;
  if (typeof stored !== "object" || stored === null) return false;
  if (Array.isArray(value) !== Array.isArray(stored)) return false;
  if (typeof (value as { toJSON?: unknown }).toJSON === "function") return false;
  const names = Object.keys(value);
  if (names.length !== Object.keys(stored).length) return false;
  return names.every((name) =>
    Object.hasOwn(stored, name) &&
    isSameJson(
      (value as Record<string, unknown>)[name],
      (stored as Record<string, unknown>)[name],
    )
  );
}

/** The rule for counters and cas tokens: unsigned 64-bit numbers (doc/protocol.txt). */
import { invalidRange, invalidType } from "../errors.ts";

const MAX_UINT64 = 2n ** 64n - 1n;

/** Checks a delta or an initial value and returns its decimal digits; `name` is for the message. */
export function checkUint64(value: unknown, name: string): string {
  if (typeof value === "bigint") {
    if (value < 0n || value > MAX_UINT64) throw invalidRange(`${name} must be from 0 to 2^64 - 1`);
    return value.toString();
  }
  if (typeof value !== "number") throw invalidType(`${name} must be a number or a bigint`);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw invalidRange(`${name} must be a whole number from 0 to 2^53 - 1, or a bigint`);
  }
  return String(value);
}

/** Checks a cas token, as a read gave it, and returns its decimal digits. */
export function checkCas(cas: unknown): string {
  if (typeof cas !== "bigint") throw invalidType("cas must be a bigint, as a read gave it");
  if (cas < 0n || cas > MAX_UINT64) throw invalidRange("cas must be from 0 to 2^64 - 1");
  return cas.toString();
}

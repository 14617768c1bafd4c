/**
 * What the store does with values by id, in several commands each. An id has one key, or with a list
 * of secrets one for each: the first is written, all are looked under.
 */
import type { Deadline } from "../client/deadline.ts";
import { ConflictError } from "../errors.ts";
import type { KeyList } from "./keys.ts";
import type { Encoded } from "./record.ts";
import type { Records } from "./records.ts";

// Each further try means that somebody wrote in between.
const MAX_TRIES = 100;

/** Asks under each key until something is there. */
export async function firstThere<T>(
  keys: readonly string[],
  absent: T,
  ask: (key: string) => Promise<T>,
): Promise<T> {
  for (const key of keys) {
    const found = await ask(key);
    if (found !== absent) return found;
  }
  return absent;
}

/** Stores it, whatever was there. */
export async function setValue(
  records: Records,
  [key, ...old]: KeyList,
  record: Encoded,
  ttl: number,
  deadline: Deadline,
): Promise<void> {
  await records.set(key, record, deadline.left(ttl));
  // What stands under an old secret is out of date now.
  await deleteValue(records, old, deadline);
}

/** Deletes it under all keys. true: it was there. */
export async function deleteValue(
  records: Records,
  keys: readonly string[],
  deadline: Deadline,
): Promise<boolean> {
  let deleted = false;
  for (const key of keys) {
    if (await records.delete(key, deadline.left())) deleted = true;
  }
  return deleted;
}

/** What is there; undefined: nothing was, and the record is now. */
export async function addDefault(
  records: Records,
  keys: KeyList,
  record: Encoded,
  ttl: number,
  deadline: Deadline,
): Promise<unknown> {
  const [key, ...old] = keys;
  const get = (key: string): Promise<unknown> => records.get(key, deadline.left());
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const there = await firstThere(tries === 0 ? old : keys, undefined, get);
    if (there !== undefined) return there;
    if (await records.add(key, record, deadline.left(ttl))) return undefined;
  }
  throw new ConflictError(`others kept adding and deleting: gave up after ${MAX_TRIES} tries`);
}

/** Takes out what is there. */
export async function popValue(
  records: Records,
  keys: readonly string[],
  deadline: Deadline,
): Promise<unknown> {
  for (const [at, key] of keys.entries()) {
    for (let tries = 0;; tries++) {
      const item = await records.read(key, deadline.left());
      if (item === undefined) break;
      // A copy under an older secret must not be there for the next caller. It is out of date: if it
      // cannot be deleted, nothing is lost; after the value itself has been, that would be.
      await deleteValue(records, keys.slice(at + 1), deadline);
      const outcome = await records.compareAndDelete(key, item.cas, deadline.left());
      if (outcome === "deleted") return item.value.value;
      if (outcome === "missing") break;
      if (tries === MAX_TRIES) throw new ConflictError("others kept writing the value");
    }
  }
  return undefined;
}

/** Stores it if its version is still this; without one if nothing is there. */
export async function saveValue(
  records: Records,
  keys: KeyList,
  record: Encoded,
  version: bigint | undefined,
  ttl: number,
  deadline: Deadline,
): Promise<"stored" | "conflict" | "gone"> {
  if (version === undefined) {
    const [key, ...old] = keys;
    const has = (key: string): Promise<boolean> => records.has(key, deadline.left());
    if (await firstThere(old, false, has)) return "conflict";
    return await records.add(key, record, deadline.left(ttl)) ? "stored" : "conflict";
  }
  const cas = (key: string): Promise<"stored" | "exists" | "missing"> =>
    records.cas(key, record, version, deadline.left(ttl));
  const outcome = await firstThere(keys, "missing", cas);
  return outcome === "stored" ? "stored" : outcome === "exists" ? "conflict" : "gone";
}

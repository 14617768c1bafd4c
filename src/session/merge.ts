/** Merges a session's changes, field by field, into a copy that somebody else has written meanwhile. */
import { invalidType } from "../errors.ts";
import {
  type Content,
  contentOf,
  type Encoded,
  type RecordCodec,
  type StoredRecord,
} from "./record.ts";

/** A session's fields, by name. */
export type Fields = Record<string, unknown>;

/** The function that Session.update was given. */
export type FieldUpdate = (current: unknown) => unknown;

/** The updates of one field that may not be stored yet. */
interface Updates {
  /** The field before the first update; undefined if it was absent. */
  readonly before: Encoded | undefined;
  /** Each update's function, with the field after it. */
  readonly steps: readonly { readonly fn: FieldUpdate; readonly after: Encoded | undefined }[];
}

/** The updates of all fields, by field name. */
export type UpdateMap = Map<string, Updates>;

/** The empty map that all sessions without updates share; nothing is ever put into it. */
export const NO_UPDATES: UpdateMap = new Map();

/** Encodes one field by itself, to find changes by comparing bytes; undefined if the field is absent. */
export function fieldBytes(fields: Fields, name: string, codec: RecordCodec): Encoded | undefined {
  if (!Object.hasOwn(fields, name)) return undefined;
  const alone: Fields = {};
  setField(alone, name, fields[name]);
  return codec.encodeValue(alone);
}

/** Whether a field has the same bytes in both, or is absent from both. */
function isSame(one: Encoded | undefined, other: Encoded | undefined): boolean {
  return one === undefined ? other === undefined : one.equals(other);
}

/**
 * Sets an own field, even one with an inherited name. Assigning such a field would do nothing, would run a
 * setter, or would throw if Object.prototype is frozen.
 */
export function setField(fields: Fields, name: string, value: unknown): void {
  if (!(name in fields) || Object.hasOwn(fields, name)) fields[name] = value;
  else {
    Object.defineProperty(fields, name, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
}

/** Sets the field to what the function returns; undefined removes the field. */
export function updateField(fields: Fields, name: string, fn: FieldUpdate): void {
  const value = fn(Object.hasOwn(fields, name) ? fields[name] : undefined);
  if (typeof (value as PromiseLike<unknown> | undefined)?.then === "function") {
    (value as PromiseLike<unknown>).then(undefined, () => undefined); // nobody else handles its rejection
    throw invalidType("the function of a session's update must not return a promise");
  }
  if (value === undefined) delete fields[name];
  else setField(fields, name, value);
}

/** Joins the updates of a save that did not store them with those of the next save. */
export function joined(first: UpdateMap, then: UpdateMap): UpdateMap {
  const all = new Map(first);
  for (const [name, updates] of then) {
    const earlier = first.get(name);
    const goesOn = earlier !== undefined && isSame(afterOf(earlier), updates.before);
    all.set(
      name,
      goesOn ? { before: earlier.before, steps: [...earlier.steps, ...updates.steps] } : updates,
    );
  }
  return all;
}

/** Drops the updates that are in the record, because a save of unknown outcome turns out to have stored it. */
export function settle(updates: UpdateMap, stored: StoredRecord, codec: RecordCodec): void {
  for (const [name, { before, steps }] of updates) {
    const there = fieldBytes(contentOf(stored).fields, name, codec);
    if (isSame(there, before)) continue;
    const last = steps.findLastIndex(({ after }) => isSame(after, there));
    updates.set(name, { before: there, steps: steps.slice(last + 1) });
  }
}

function afterOf({ steps, before }: Updates): Encoded | undefined {
  const last = steps.at(-1);
  return last === undefined ? before : last.after;
}

/**
 * Returns `theirs` with the changes of `mine` on top. A change is a top-level field, or the ttl, that differs
 * from `ancestor`, the record that both started from. A field that only `updates` has changed is computed
 * again from `theirs`; afterwards `updates` holds the updates that are still to be stored.
 */
export function merge(
  mine: Content,
  ancestor: Encoded | undefined,
  theirs: StoredRecord,
  updates: UpdateMap,
  codec: RecordCodec,
): Content {
  const stored = contentOf(theirs);
  const before = ancestor === undefined ? undefined : codec.read(ancestor);
  const fields = mergeFields(
    mine.fields,
    (before?.value ?? {}) as Fields,
    stored.fields,
    updates,
    codec,
  );
  if (theirs.session === undefined) return { fields, createdAt: mine.createdAt, ttl: mine.ttl };
  const ttl = mine.ttl === before?.session?.ttl ? stored.ttl : mine.ttl;
  return { fields, createdAt: stored.createdAt, ttl };
}

function mergeFields(
  mine: Fields,
  before: Fields,
  theirs: Fields,
  updates: UpdateMap,
  codec: RecordCodec,
): Fields {
  const merged: Fields = {};
  for (const name of new Set([...Object.keys(theirs), ...Object.keys(mine), ...updates.keys()])) {
    const [ours, base, other] = [mine, before, theirs].map((fields) =>
      fieldBytes(fields, name, codec)
    );
    const again = updates.get(name);
    const updated = again !== undefined && isSame(again.before, base) &&
      isSame(afterOf(again), ours);
    if (updated && !isSame(other, base)) {
      if (Object.hasOwn(theirs, name)) setField(merged, name, theirs[name]);
      const steps = again.steps.map(({ fn }) => {
        updateField(merged, name, fn);
        return { fn, after: fieldBytes(merged, name, codec) };
      });
      updates.set(name, { before: other, steps });
      continue;
    }
    // A field that was also changed in another way is merged as a plain value from here on.
    if (!updated) updates.delete(name);
    // If both are the same, keep the session's own object: the caller may go on to change it.
    const own = !isSame(ours, base) || isSame(ours, other);
    const source = own ? mine : theirs;
    if (Object.hasOwn(source, name)) setField(merged, name, source[name]);
  }
  return merged;
}

/** Bringing a session's changes onto a copy that somebody else has written meanwhile, field by field. */
import { invalidType } from "../errors.ts";
import { type Content, contentOf, type Encoded, type RecordCodec, type Stocked } from "./record.ts";

/** A session's fields, by name. */
export type Fields = Record<string, unknown>;

/** What Session.update was given. */
export type FieldUpdate = (current: unknown) => unknown;

/** Updates of one field that are not known to be stored. */
export interface Updates {
  /** The field as the first one found it; undefined: not there. */
  readonly before: Encoded | undefined;
  /** Each with the field as it has left it. */
  readonly steps: readonly { readonly fn: FieldUpdate; readonly after: Encoded | undefined }[];
}

/** The updates of each field. */
export type UpdateMap = Map<string, Updates>;

/** Shared by all who have none: nothing is ever put into it. */
export const NO_UPDATES: UpdateMap = new Map();

/** A field by itself, to find changes; undefined: not there. */
export function fieldBytes(fields: Fields, name: string, codec: RecordCodec): Encoded | undefined {
  if (!Object.hasOwn(fields, name)) return undefined;
  const alone: Fields = {};
  setField(alone, name, fields[name]);
  return codec.encodeValue(alone);
}

/** Whether a field is the same, or not there, in both. */
export function isSame(one: Encoded | undefined, other: Encoded | undefined): boolean {
  return one === undefined ? other === undefined : one.equals(other);
}

/** Sets an own field, also one of the name `__proto__`. */
export function setField(fields: Fields, name: string, value: unknown): void {
  if (name !== "__proto__") fields[name] = value;
  else {
    Object.defineProperty(fields, name, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
}

/** Makes the field what the function returns; undefined takes it out. */
export function updateField(fields: Fields, name: string, fn: FieldUpdate): void {
  const value = fn(Object.hasOwn(fields, name) ? fields[name] : undefined);
  if (typeof (value as PromiseLike<unknown> | undefined)?.then === "function") {
    (value as PromiseLike<unknown>).then(undefined, () => undefined); // refused, and nobody waits for it
    throw invalidType("the function of a session's update must not return a promise");
  }
  if (value === undefined) delete fields[name];
  else setField(fields, name, value);
}

/** The updates of two saves, of which the first has not stored its own. */
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

/** Forgets the updates that are in the record: a save whose outcome was unknown has stored it. */
export function settle(updates: UpdateMap, stored: Stocked, codec: RecordCodec): void {
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
 * What `theirs` becomes with `mine`'s changes on top: the top-level fields, and the ttl, that differ from
 * `ancestor`, from which both have come. A field that was changed by `updates` alone is computed again
 * from theirs; `updates` then holds what is still to be stored.
 */
export function merge(
  mine: Content,
  ancestor: Encoded | undefined,
  theirs: Stocked,
  updates: UpdateMap,
  codec: RecordCodec,
): Content {
  const fresh = contentOf(theirs);
  const before = ancestor === undefined ? undefined : codec.read(ancestor);
  const fields = mergeFields(
    mine.fields,
    (before?.value ?? {}) as Fields,
    fresh.fields,
    updates,
    codec,
  );
  if (theirs.session === undefined) return { fields, createdAt: mine.createdAt, ttl: mine.ttl };
  const ttl = mine.ttl === before?.session?.ttl ? fresh.ttl : mine.ttl;
  return { fields, createdAt: fresh.createdAt, ttl };
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
    // What was changed in another way as well is no update any more.
    if (!updated) updates.delete(name);
    // The session's own object wherever it says the same: the caller may go on to change it.
    const own = !isSame(ours, base) || isSame(ours, other);
    const source = own ? mine : theirs;
    if (Object.hasOwn(source, name)) setField(merged, name, source[name]);
  }
  return merged;
}

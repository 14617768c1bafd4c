/** Bringing a session's changes onto a copy that somebody else has written meanwhile. */
import { CorruptValueError } from "../errors.ts";
import { type Encoded, isPlainObject, type RecordCodec, type Stocked } from "./record.ts";
import { setField } from "./session.ts";
import type { SessionState } from "./state.ts";

/**
 * Makes the session what `fresh` is, with the session's own changes on top: the top-level fields, and
 * the time to live, that differ from `ancestor`, the copy that both have come from.
 */
export function merge(
  state: SessionState,
  ancestor: Encoded | undefined,
  fresh: Stocked,
  codec: RecordCodec,
): void {
  const { value: theirs, session, encoded } = fresh;
  if (!isPlainObject(theirs)) {
    throw new CorruptValueError("what is stored is not a session", { flags: encoded.flags });
  }
  const before = ancestor === undefined ? undefined : codec.read(ancestor);
  const fields = (before?.value ?? {}) as Fields;
  state.fields = mergeFields(state.fields, fields, theirs, codec);
  if (session === undefined) return;
  state.createdAt = session.createdAt;
  if (state.ownTtl === before?.session?.ttl) state.ownTtl = session.ttl;
}

type Fields = Record<string, unknown>;

function mergeFields(mine: Fields, before: Fields, theirs: Fields, codec: RecordCodec): Fields {
  const merged: Fields = {};
  for (const name of new Set([...Object.keys(theirs), ...Object.keys(mine)])) {
    const ours = fieldBytes(mine, name, codec);
    const changed = !isSame(ours, fieldBytes(before, name, codec));
    // The session's own object wherever it says the same: the caller may go on to change it.
    const own = changed || isSame(ours, fieldBytes(theirs, name, codec));
    const source = own ? mine : theirs;
    if (Object.hasOwn(source, name)) setField(merged, name, source[name]);
  }
  return merged;
}

function fieldBytes(fields: Fields, name: string, codec: RecordCodec): Encoded | undefined {
  // In an array, for a field may hold undefined.
  return Object.hasOwn(fields, name) ? codec.encodeValue([fields[name]]) : undefined;
}

function isSame(one: Encoded | undefined, other: Encoded | undefined): boolean {
  return one === undefined ? other === undefined : one.equals(other);
}

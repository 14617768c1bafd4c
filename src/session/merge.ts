/** Bringing a session's changes onto a copy that somebody else has written meanwhile. */
import type { Encoded, RecordCodec, Stocked } from "./record.ts";
import { type SessionState, setField } from "./session.ts";

/**
 * Makes `fresh`, the copy that stands in memcached, the one that the session's changes are counted
 * from. Unless it is the session's own, the top-level fields that the session changed are put onto it.
 */
export function rebase(
  state: SessionState,
  fresh: Stocked,
  version: bigint,
  codec: RecordCodec,
): void {
  const own = fresh.encoded.equals(state.written) || fresh.encoded.equals(state.base);
  if (!own) mergeOnto(state, fresh, codec);
  state.base = fresh.encoded;
  state.version = version;
}

function mergeOnto(state: SessionState, fresh: Stocked, codec: RecordCodec): void {
  const base = state.base === undefined ? undefined : codec.read(state.base);
  const before = (base?.value ?? {}) as Record<string, unknown>;
  const merged = { ...fresh.value as Record<string, unknown> };
  for (const name of new Set([...Object.keys(before), ...Object.keys(state.fields)])) {
    const now = fieldBytes(state.fields, name, codec);
    if (isSame(fieldBytes(before, name, codec), now)) continue;
    if (now === undefined) delete merged[name];
    else setField(merged, name, state.fields[name]);
  }
  state.fields = merged;
  if (fresh.session === undefined) return;
  state.createdAt = fresh.session.createdAt;
  if (state.ownTtl === base?.session?.ttl) state.ownTtl = fresh.session.ttl;
}

function fieldBytes(
  fields: Record<string, unknown>,
  name: string,
  codec: RecordCodec,
): Encoded | undefined {
  // In an array, for a field may hold undefined.
  return Object.hasOwn(fields, name) ? codec.encodeValue([fields[name]]) : undefined;
}

function isSame(before: Encoded | undefined, now: Encoded | undefined): boolean {
  return before === undefined ? now === undefined : before.equals(now);
}

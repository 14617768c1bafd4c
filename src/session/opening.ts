/**
 * Opens a session: reads it first and touches it afterwards, because its ttl is in its record. So if a
 * command is lost, the session has either the ttl that it had before or the one that it should have.
 */
import type { Deadline } from "../client/deadline.ts";
import type { Item } from "../client/item.ts";
import { newId } from "./ids.ts";
import { hasEnded, isRecent, secondsToLive } from "./lifetime.ts";
import {
  contentOf,
  MARKER_FLAGS,
  MARKER_SECONDS,
  type StoredRecord,
  UnknownSecretError,
} from "./record.ts";
import { makeSession, type Session } from "./session.ts";
import { type Home, SessionState } from "./state.ts";

/**
 * Opens the session of this id, or a new one if it is absent or the id makes no legal key. An id that is no
 * string makes none: a visitor may send an array where a framework expects text.
 */
export async function open<F>(home: Home, id: unknown, deadline: Deadline): Promise<Session<F>> {
  const key = typeof id === "string" ? home.ids.find(id) : undefined;
  if (key === undefined) return makeSession(newState(home));
  let found: Awaited<ReturnType<typeof readAndTouch>>;
  try {
    found = await readAndTouch(home, key, deadline);
  } catch (error) {
    // Dropping a secret ends its sessions: their visitors get a new one rather than an error.
    if (!(error instanceof UnknownSecretError)) throw error;
  }
  if (found === undefined || found === "moved") {
    const state = newState(home);
    state.barred = found === "moved";
    return makeSession(state);
  }
  const { value, cas } = found;
  const state = new SessionState(home, id as string, key);
  const { fields, createdAt, ttl } = contentOf(value);
  state.isNew = false;
  state.fields = fields;
  state.createdAt = createdAt;
  state.ttl = ttl;
  state.place.copy.found(value.encoded, cas, value.outdated);
  return makeSession(state);
}

/** Makes the state of a new session, under this id if one is given. Throws a `TypeError` for an illegal id. */
export function newState(home: Home, id: string = newId()): SessionState {
  return new SessionState(home, id, home.ids.key(id));
}

/**
 * Reads the item and sets its ttl again. One command is enough if the server says that most of the ttl is
 * left; otherwise it takes two. Resolves to "moved" if a marker is there.
 */
export async function readAndTouch(
  home: Home,
  key: string,
  deadline: Deadline,
): Promise<Item<StoredRecord> | "moved" | undefined> {
  const { commands } = home;
  for (;;) {
    const item = await commands.getItem(key, deadline.options());
    if (item === undefined) return undefined;
    const { session, marker } = item.value;
    if (marker) return "moved";
    if (session !== undefined && hasEnded(session.createdAt, home)) return undefined;
    const seconds = secondsToLive(session?.ttl, session?.createdAt ?? Date.now(), home);
    if (item.ttl !== undefined && isRecent(item.ttl, seconds)) return item;
    const there = await refresh(home, key, seconds, deadline);
    if (there === undefined || there === "moved") return there;
    if (there === item.cas) return item;
    // Somebody has written in between, perhaps with another ttl: start again.
  }
}

/** Sets the item's ttl and resolves to its token; a marker gets its own ttl back, and "moved" is the result. */
export async function refresh(
  { commands }: Home,
  key: string,
  seconds: number,
  deadline: Deadline,
): Promise<bigint | "moved" | undefined> {
  const there = await commands.refresh(key, seconds, deadline.options());
  if (there?.flags !== MARKER_FLAGS) return there?.cas;
  await commands.touch(key, MARKER_SECONDS, deadline.options());
  return "moved";
}

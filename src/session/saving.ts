/**
 * storeSession: writes a new session by `add` and a known one by `cas`, merges if somebody else wrote
 * meanwhile, and never writes a session that was deleted elsewhere.
 */
import type { Deadline } from "../client/deadline.ts";
import { hasEnded } from "./lifetime.ts";
import { NO_UPDATES } from "./merge.ts";
import { deleteAll, move } from "./moving.ts";
import { readAndTouch } from "./opening.ts";
import { SESSION_FLAG } from "./record.ts";
import { type Home, type Place, type Saved, type SessionState, Shot } from "./state.ts";
import { Writer } from "./writing.ts";

/**
 * Saves the session as it is now. Saves of one handle run one after another: if they overlapped, neither
 * would know what the other has written.
 */
export function save(state: SessionState, deadline: Deadline): Promise<Saved> {
  const run = prepare(state, deadline);
  state.saves++;
  return state.saving = state.saving === undefined ? run() : state.saving.then(run, run);
}

function prepare(state: SessionState, deadline: Deadline): () => Promise<Saved> {
  if (state.destroyed || state.expired) return () => end(state, deadline);
  let shot: Shot;
  try {
    shot = new Shot(state);
  } catch (error) {
    state.dirty = true;
    throw error;
  }
  // Changes from here on belong to the next save.
  state.dirty = false;
  state.updates = NO_UPDATES;
  state.shot = shot;
  return () => saveShot(state, shot, deadline);
}

async function saveShot(state: SessionState, shot: Shot, deadline: Deadline): Promise<Saved> {
  const { home, place } = state;
  try {
    shot.begin(home.codec);
    const saved = await store(home, place, shot, deadline);
    if (saved === "stored") state.isNew = false;
    return saved;
  } catch (error) {
    state.dirty = shot.failed = true;
    throw error;
  } finally {
    if (state.shot === shot) state.follow(shot);
    if (--state.saves === 0) state.saving = undefined;
  }
}

async function store(home: Home, place: Place, shot: Shot, deadline: Deadline): Promise<Saved> {
  const { lastWriteWins, alwaysSave } = home;
  // Past its absolute end it is left to expire, not deleted: this host's clock may be fast, and the others
  // still use the session.
  if (shot.barred || hasEnded(shot.createdAt, home)) return "gone";
  if (place.gone && !lastWriteWins) return "gone";
  if (shot.isEmpty && place.copy.stage === "unsent" && place.source === undefined) {
    return "unchanged";
  }
  place.follow(shot.key);
  const changed = isChanged(home, place, shot);
  const writes = changed || place.copy.outdated;
  if (!writes && !alwaysSave) return "unchanged";
  const there = writes
    ? await write(home, place, shot, changed, deadline)
    : await touch(home, place, deadline);
  place.gone = !there;
  return there ? writes ? "stored" : "touched" : "gone";
}

/** Resolves to false if the session has ended elsewhere. */
async function touch(home: Home, { copy }: Place, deadline: Deadline): Promise<boolean> {
  const found = await readAndTouch(home, copy.key, deadline);
  return found !== undefined && found !== "moved";
}

/** Writes the session. Resolves to false if it has ended elsewhere. */
function write(
  home: Home,
  place: Place,
  shot: Shot,
  changed: boolean,
  deadline: Deadline,
): Promise<boolean> {
  const { copy, source } = place;
  const writer = new Writer(home, shot, copy, deadline);
  // A save that only seals with the newest secret must not overwrite what others have changed, so it goes by
  // cas, except on a server without tokens (-C).
  if (home.lastWriteWins && (changed || copy.version === 0n)) return overwrite(writer, place);
  if (source !== undefined) return move(home, place, source, shot, deadline);
  return copy.stage === "there" ? writer.cas() : writer.add();
}

/** Overwrites whatever is there, for lastWriteWins. Always resolves to true. */
async function overwrite(writer: Writer, place: Place): Promise<true> {
  const old = place.keys.filter((key) => key !== writer.copy.key);
  await writer.set();
  await deleteAll(writer.home, old, writer.deadline);
  place.arrive();
  return true;
}

function isChanged({ codec }: Home, { copy, source }: Place, shot: Shot): boolean {
  const { base, stage } = copy;
  if (shot.dirty || stage !== "there" || base === undefined || source !== undefined) return true;
  // `set` stores a plain object, which stays one until it is changed.
  const isPlain = (base.flags & SESSION_FLAG) === 0;
  const record = isPlain ? codec.encodeValue(codec.read(shot.record).value) : shot.record;
  return !record.equals(base);
}

async function end(state: SessionState, deadline: Deadline): Promise<Saved> {
  const { home, place } = state;
  try {
    await deleteAll(home, place.keys, deadline);
    place.arrive();
    place.gone = true;
    return "deleted";
  } finally {
    if (--state.saves === 0) state.saving = undefined;
  }
}

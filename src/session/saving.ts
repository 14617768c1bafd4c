/**
 * storeSession: add what is new, cas what is known, merge where somebody else wrote meanwhile, and
 * never write what was deleted elsewhere.
 */
import type { Deadline } from "../client/deadline.ts";
import { hasEnded } from "./lifetime.ts";
import { leaveAll, move } from "./moving.ts";
import { type Encoded, SESSION_FLAG } from "./record.ts";
import type { Records } from "./records.ts";
import type { SessionState } from "./session.ts";
import { Writer } from "./writer.ts";

/** What storeSession did. */
export type Saved = "stored" | "touched" | "unchanged" | "deleted" | "gone";

/** How a store saves. */
export interface SavingOptions {
  readonly alwaysSave: boolean;
  readonly lastWriteWins: boolean;
}

/**
 * Does what the session needs. Saves of one handle run one after another: nobody could tell what they
 * do to each other in between.
 */
export function save(
  records: Records,
  options: SavingOptions,
  state: SessionState,
  deadline: Deadline,
): Promise<Saved> {
  const run = async (): Promise<Saved> => {
    try {
      return await saveNow(new Writer(records, state, deadline), options);
    } finally {
      if (--state.saves === 0) state.saving = undefined;
    }
  };
  state.saves++;
  const saved = state.saving === undefined ? run() : state.saving.then(run);
  state.saving = saved.catch(() => undefined);
  return saved;
}

async function saveNow(writer: Writer, options: SavingOptions): Promise<Saved> {
  const { state } = writer;
  try {
    if (state.destroyed || state.expired || hasEnded(state.createdAt, state.store)) {
      await deleteCopies(writer);
      return "deleted";
    }
    if (state.gone) return "gone";
    if (isNothingYet(state)) return "unchanged";
    const encoded = writer.encode();
    if (mustWrite(writer, encoded)) {
      state.dirty = false; // what is changed from here on is for the next save
      if (await write(writer, encoded, options)) return "stored";
    } else {
      if (!options.alwaysSave) return "unchanged";
      if (await writer.touch()) return "touched";
    }
    state.gone = true;
    return "gone";
  } catch (error) {
    state.dirty = true;
    throw error;
  }
}

/** False: deleted elsewhere. */
async function write(
  writer: Writer,
  encoded: Encoded,
  { lastWriteWins }: SavingOptions,
): Promise<boolean> {
  const { state } = writer;
  let there = true;
  if (lastWriteWins) await writer.set(encoded);
  else if (state.moving !== undefined) return await move(writer, encoded);
  else if (state.isNew) there = await writer.add(encoded) !== "gone";
  else there = await writer.cas(encoded);
  if (state.old.size > 0) await leaveAll(writer); // what an earlier save could not delete
  return there;
}

async function deleteCopies(writer: Writer): Promise<void> {
  const { state } = writer;
  const own = state.fresh ? [] : state.store.keysOf(state.id);
  await writer.deleteAll([...own, ...state.old.keys()]);
  state.gone = true;
}

/** New, without fields, and never sent. */
function isNothingYet({ isNew, fresh, moving, fields }: SessionState): boolean {
  return isNew && fresh && moving === undefined && Object.keys(fields).length === 0;
}

function mustWrite({ state, records }: Writer, encoded: Encoded): boolean {
  const { isNew, dirty, base, old, fields } = state;
  if (isNew || dirty || base === undefined || old.size > 0) return true;
  // What `set` stored is a plain object, and stays one until it is changed.
  const isPlain = (base.flags & SESSION_FLAG) === 0;
  return !(isPlain ? records.codec.encodeValue(fields) : encoded).equals(base);
}

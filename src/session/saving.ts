/**
 * storeSession: add what is new, cas what is known, merge where somebody else wrote meanwhile, and
 * never write what was deleted elsewhere.
 */
import type { Deadline } from "../client/deadline.ts";
import { hasEnded } from "./lifetime.ts";
import { leaveAll, move } from "./moving.ts";
import { type Encoded, SESSION_FLAG } from "./record.ts";
import type { Records } from "./records.ts";
import type { Saved, SessionState } from "./state.ts";
import { Writer } from "./writer.ts";

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
  const run = (): Promise<Saved> => saveNow(new Writer(records, state, deadline), options);
  state.saves++;
  const saved = state.saving === undefined ? run() : state.saving.then(run, run);
  // One that needed no command has ended by now, and the next looks at the session at once as well.
  if (state.saves > 0) state.saving = saved;
  return saved;
}

async function saveNow(writer: Writer, options: SavingOptions): Promise<Saved> {
  const { state } = writer;
  try {
    if (state.destroyed || state.expired || hasEnded(state.createdAt, state.store)) {
      await deleteCopies(writer);
      return "deleted";
    }
    if (state.gone && !options.lastWriteWins) return "gone";
    if (isNothingYet(state)) return "unchanged";
    const encoded = writer.encode();
    if (mustWrite(writer, encoded)) {
      state.dirty = false; // what is changed from here on is for the next save
      const there = await write(writer, encoded, options);
      if (state.hasOld) await leaveAll(writer); // what could not be deleted until now
      if (there) return "stored";
    } else {
      if (!options.alwaysSave) return "unchanged";
      if (await writer.touch()) return "touched";
    }
    state.gone = true;
    return "gone";
  } catch (error) {
    state.dirty = true;
    throw error;
  } finally {
    if (--state.saves === 0) state.saving = undefined;
  }
}

/** False: deleted elsewhere. */
function write(
  writer: Writer,
  encoded: Encoded,
  { lastWriteWins }: SavingOptions,
): Promise<boolean> {
  const { moving, isNew } = writer.state;
  if (lastWriteWins) return writer.set(encoded);
  if (moving !== undefined) return move(writer, encoded);
  return isNew ? writer.add(encoded).then((added) => added !== "gone") : writer.cas(encoded);
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
  const { isNew, dirty, base, hasOld, fields } = state;
  if (isNew || dirty || base === undefined || hasOld) return true;
  // What `set` stored is a plain object, and stays one until it is changed.
  const isPlain = (base.flags & SESSION_FLAG) === 0;
  return !(isPlain ? records.codec.encodeValue(fields) : encoded).equals(base);
}

/**
 * Moving a session to another key: to that of its new id, or to that made of a new secret. It is added
 * there, then the old copy is deleted if it is still as it was read: whoever has written it since is
 * merged, whoever has deleted it has ended the session. At no time is there neither.
 */
import type { Item } from "../client/item.ts";
import { isMemcachedError, UnsupportedError } from "../errors.ts";
import { merge } from "./merge.ts";
import type { Encoded, Stocked } from "./record.ts";
import type { Copied } from "./state.ts";
import { conflict, MAX_TRIES, type Writer } from "./writer.ts";

/** A copy under one of the session's old keys. */
interface OldCopy extends Copied {
  readonly key: string;
  readonly item: Item<Stocked>;
}

/** Moves the session to the writer's key. False: it was ended elsewhere. */
export async function move(writer: Writer, encoded: Encoded): Promise<boolean> {
  const { state } = writer;
  // The key of a new id is this handle's alone; that of a new secret others may move to as well.
  const shared = state.moving === "secret";
  const old = await readOld(writer);
  if (old === "absent") {
    if (shared) return await join(writer, encoded);
    if (!state.isNew) return await retract(writer);
  } else if (old !== "unreachable") {
    encoded = writer.rebase(old.item);
    state.old.set(old.key, old);
  }
  const added = await writer.add(encoded, shared);
  if (added === "gone") return await retract(writer);
  if (added === "joined" && shared) {
    forgetOld(writer); // whoever was first deletes it
    return true;
  }
  if (typeof old !== "string" && !await leave(writer, old.key, old)) return await retract(writer);
  await leaveAll(writer);
  return true;
}

/** Deletes the copies under all old keys; what was written since to one that was copied is merged. */
export async function leaveAll(writer: Writer): Promise<void> {
  const { old } = writer.state;
  for (const [key, copied] of old) if (copied !== undefined) await leave(writer, key, copied);
  await writer.deleteAll(oldKeys(writer));
}

/** The newest last; without the writer's own, which regenerate() has put there if it was called meanwhile. */
function oldKeys({ state, key: own }: Writer): string[] {
  return [...state.old.keys()].filter((key) => key !== own);
}

/** The old copies are another's to delete. */
function forgetOld(writer: Writer): void {
  for (const key of oldKeys(writer)) writer.state.old.delete(key);
}

/** The newest copy under an old key. */
async function readOld(writer: Writer): Promise<OldCopy | "absent" | "unreachable"> {
  const { records, deadline } = writer;
  let found: "absent" | "unreachable" = "absent";
  for (const key of oldKeys(writer).reverse()) {
    try {
      // Half of the time: the new copy is to be written even if the old one's server hangs.
      const item = await records.read(key, deadline.half());
      if (item === undefined) continue;
      if (item.cas !== 0n) return { key, item, version: item.cas, record: item.value.encoded };
      throw new UnsupportedError("a session is moved by cas, and the server keeps no tokens (-C)");
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      found = "unreachable";
    }
  }
  return found;
}

/** Deletes a copy, merging what was written to it since. False: the session was ended. */
async function leave(writer: Writer, key: string, copied: Copied): Promise<boolean> {
  const { records, state, deadline } = writer;
  for (let tries = 0;; tries++) {
    state.old.set(key, copied);
    const outcome = await records.compareAndDelete(key, copied.version, deadline.left());
    if (outcome !== "exists") state.old.delete(key);
    if (outcome === "deleted") return true;
    if (tries === MAX_TRIES) throw conflict();
    // Written since, or moved: from the key made of an old secret to that of the new one.
    const next = await readOld(writer);
    if (next === "absent") return false;
    if (next === "unreachable") return true; // what has to be deleted there will tell
    merge(state, copied.record, next.item.value, records.codec);
    ({ key } = next);
    copied = next;
    if (!await writer.cas(writer.encode())) return false;
  }
}

/** Others have moved it already. */
function join(writer: Writer, encoded: Encoded): Promise<boolean> {
  const { state } = writer;
  forgetOld(writer);
  writer.placed(state.base);
  return writer.cas(encoded);
}

/** Deletes what this handle has put there of a session that was ended elsewhere. */
async function retract(writer: Writer): Promise<false> {
  await writer.deleteAll([writer.key, ...oldKeys(writer)]);
  return false;
}

function isUnreachable(error: unknown): boolean {
  return isMemcachedError(error) &&
    ["SERVER_DOWN", "TIMEOUT", "CONNECTION_LOST"].includes(error.code);
}

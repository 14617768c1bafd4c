/**
 * Moves a session to its new id, after regenerate(), in three steps: read the old copy and merge it, add the
 * new copy, then replace the old copy by a marker, by `cas` with the token that was read. The marker is 16
 * random bytes that stay for a minute. A reader takes it for an absent session, and a late save is told
 * "gone". So the move sees what other requests do under the old id before the marker is there, and what
 * they do afterwards meets the marker.
 *
 * This is how the move ends if another request uses the old id at the same time:
 *
 * | the other request | before the read | between read and add | between add and marker | after the marker |
 * | --- | --- | --- | --- | --- |
 * | stores a field | the field is read and merged | the marker is refused; the move reads again, merges into the new copy, tries the marker again | the same | it is told "gone" |
 * | touches, opens | a touch keeps the token: moved | moved | moved | it finds no session; the one that it opens is never stored |
 * | destroys, pops | the move ends as "gone", nothing was written | the marker finds no item; the new copy is deleted: "gone" | the same | the new id stays logged in |
 * | regenerates | the move finds its marker: "gone" | the move finds its marker and deletes the new copy: "gone" | the same | it finds our marker: "gone" |
 *
 * This is how the move ends if a server fails:
 *
 * | the server of | is down, silent, or refuses | loses a reply | restarts in between |
 * | --- | --- | --- | --- |
 * | the old id | the save rejects and the session stays dirty; the next save reads again | to the marker: the old key is read at once, and our marker there means moved | nothing is there: "gone", and the new copy is deleted |
 * | the new id | the save rejects and the session stays dirty; the old copy is still there | to the add: the next save repeats it | before the add: the save rejects, the next one adds; after it: the session is lost with its server |
 *
 * At every moment at least one of the two copies exists. If regenerate() is called again before a move is
 * confirmed, the first old id stays the source, and copies under the ids in between are deleted at the end.
 */
import type { Deadline } from "../client/deadline.ts";
import { isMemcachedError, UnsupportedError } from "../errors.ts";
import { MARKER_SECONDS } from "./record.ts";
import type { Home, Place, Shot, Source } from "./state.ts";
import { conflict, insist, Writer } from "./writing.ts";

/** Moves the session to the place's present key. Resolves to false if another request has ended or moved it. */
export function move(
  home: Home,
  place: Place,
  source: Source,
  shot: Shot,
  deadline: Deadline,
): Promise<boolean> {
  const { commands, codec } = home;
  const { copy: old, marker } = source;
  return insist(deadline, async () => {
    const item = await commands.getItem(old.key, deadline.options());
    if (item?.cas === 0n) {
      throw new UnsupportedError("a session is moved by cas, and the server keeps no tokens (-C)");
    }
    // Our marker is already there if an earlier attempt stored it but lost the reply.
    const moved = marker.equals(item?.value.encoded);
    const ended = item === undefined ? old.stage === "there" : item.value.marker && !moved;
    if (ended) return await retract(home, place, deadline);
    if (item !== undefined && !moved) old.read(item, shot, codec, true);
    await put(new Writer(home, shot, place.copy, deadline, true));
    const outcome = moved ? "stored" : await mark(home, source, item?.cas, deadline);
    if (outcome === "exists") return undefined;
    if (outcome === "missing") return await retract(home, place, deadline);
    await deleteAll(home, place.between, deadline);
    place.arrive();
    return true;
  });
}

/** Stores the new copy. Nothing but an earlier attempt of this move can be under its key. */
async function put(writer: Writer): Promise<void> {
  if (writer.copy.stage === "there") {
    if (await writer.cas()) return;
    writer.copy.lost(); // its server has lost it
  }
  if (!await writer.add()) throw conflict();
}

/**
 * Replaces the item that has this token by the marker. Without a token there is no item yet, only an add that
 * may still arrive: the marker is added, which keeps that add out.
 */
async function mark(
  { commands }: Home,
  { copy: { key }, marker }: Source,
  token: bigint | undefined,
  deadline: Deadline,
): Promise<"stored" | "exists" | "missing"> {
  const options = deadline.options(MARKER_SECONDS);
  try {
    if (token !== undefined) return await commands.cas(key, marker, token, options);
    return await commands.add(key, marker, options) ? "stored" : "exists";
  } catch (error) {
    // The reply was lost: "exists" makes the caller read again, which tells whether the marker arrived.
    if (isAmbiguous(error) && !deadline.passed) return "exists";
    throw error;
  }
}

/** Deletes the copies that this handle has stored under newer ids, for a session that has ended elsewhere. */
async function retract(home: Home, place: Place, deadline: Deadline): Promise<false> {
  const { copy, between } = place;
  if (copy.stage !== "unsent") await deleteByToken(home, copy.key, deadline);
  await deleteAll(home, between, deadline);
  place.arrive();
  return false;
}

/** Deletes the session under this key, if there is one. A marker is left alone. */
function deleteByToken({ commands }: Home, key: string, deadline: Deadline): Promise<true> {
  return insist(deadline, async () => {
    const item = await commands.getItem(key, deadline.options());
    if (item === undefined || item.value.marker) return true;
    const outcome = await commands.compareAndDelete(key, item.cas, deadline.options());
    return outcome === "exists" ? undefined : true;
  });
}

function isAmbiguous(error: unknown): boolean {
  return isMemcachedError(error) && error.ambiguous;
}

/** Deletes as many of the copies as it can, then rejects if one could not be deleted. */
export async function deleteAll(
  { commands }: Home,
  keys: readonly string[],
  deadline: Deadline,
): Promise<void> {
  const outcomes = await Promise.allSettled(
    [...new Set(keys)].map(async (key) => await commands.delete(key, deadline.options())),
  );
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

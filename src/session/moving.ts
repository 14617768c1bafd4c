/**
 * Moving a session to its new id, after regenerate(): the old copy is read and merged, the new one is
 * added, then a marker is put in the old one's place by the old one's token. The marker is 16 random bytes
 * that stand for a minute; a reader takes them for absent, and a late save for "gone". So what another
 * request has done under the old id until then is seen, and what it does later meets the marker.
 *
 * | another request, under the old id | before the read | between read and add | between add and marker | after the marker |
 * | --- | --- | --- | --- | --- |
 * | stores a field | read and merged | the marker is refused: read, merged onto the new copy, marked again | the same | it is told "gone" |
 * | touches, opens | a touch changes no token: moved | moved | moved | absent; what it opens is not stored under any id |
 * | destroys, pops | gone, nothing was written | the marker is missing its item: the new copy is deleted, gone | the same | no logout of the new id |
 * | regenerates | its marker is found: gone | its marker is found: the new copy is deleted, gone | the same | it finds the marker: gone |
 *
 * | the server of | is down, silent, or refuses | loses a reply | restarts in between |
 * | --- | --- | --- | --- |
 * | the old id | rejects, stays dirty; the next save reads again | the marker's: looked up at once, ours means moved | nothing is there: gone, and the new copy is deleted |
 * | the new id | rejects, stays dirty; the old copy is in its place | the add's: the next save repeats it | before the add: rejects, the next save adds it; after it: lost with its server |
 *
 * At no time is there neither copy. regenerate() again before the move is confirmed leaves the first old id
 * the source; copies under ids in between are deleted at the end.
 */
import type { Deadline } from "../client/deadline.ts";
import { isMemcachedError, UnsupportedError } from "../errors.ts";
import { MARKER_SECONDS } from "./record.ts";
import type { Home, Place, Shot, Source } from "./state.ts";
import { conflict, insist, Writer } from "./writing.ts";

/** Moves what is to be stored to the place's present key. False: it was ended, or moved, elsewhere. */
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
    const item = await commands.getItem(old.key, deadline.left());
    if (item?.cas === 0n) {
      throw new UnsupportedError("a session is moved by cas, and the server keeps no tokens (-C)");
    }
    // Ours: it has been put there by a command whose reply was lost.
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

/** Stores the new copy, where at most an earlier attempt of this move stands. */
async function put(writer: Writer): Promise<void> {
  if (writer.copy.stage === "there") {
    if (await writer.cas()) return;
    writer.copy.lost(); // by its server
  }
  if (!await writer.add()) throw conflict();
}

/** Puts the marker in place of what has the token; without one, of an add that may still be on its way. */
async function mark(
  { commands }: Home,
  { copy: { key }, marker }: Source,
  token: bigint | undefined,
  deadline: Deadline,
): Promise<"stored" | "exists" | "missing"> {
  const options = deadline.left(MARKER_SECONDS);
  try {
    if (token !== undefined) return await commands.cas(key, marker, token, options);
    return await commands.add(key, marker, options) ? "stored" : "exists";
  } catch (error) {
    // What stands there now tells whether it has arrived.
    if (isAmbiguous(error) && !deadline.passed) return "exists";
    throw error;
  }
}

/** Deletes what this handle has put under newer ids, of a session that was ended elsewhere. */
async function retract(home: Home, place: Place, deadline: Deadline): Promise<false> {
  const { copy, between } = place;
  if (copy.stage !== "unsent") await deleteByToken(home, copy.key, deadline);
  await deleteAll(home, between, deadline);
  place.arrive();
  return false;
}

/** Deletes the session that stands there, if one does: a marker is left alone. */
function deleteByToken({ commands }: Home, key: string, deadline: Deadline): Promise<true> {
  return insist(deadline, async () => {
    const item = await commands.getItem(key, deadline.left());
    if (item === undefined || item.value.marker) return true;
    const outcome = await commands.compareAndDelete(key, item.cas, deadline.left());
    return outcome === "exists" ? undefined : true;
  });
}

function isAmbiguous(error: unknown): boolean {
  return isMemcachedError(error) && error.ambiguous;
}

/** Deletes each copy that can be deleted; rejects if one cannot. */
export async function deleteAll(
  { commands }: Home,
  keys: readonly string[],
  deadline: Deadline,
): Promise<void> {
  const outcomes = await Promise.allSettled(
    [...new Set(keys)].map(async (key) => await commands.delete(key, deadline.left())),
  );
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

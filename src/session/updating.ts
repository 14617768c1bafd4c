/** Read, change, write if nobody else has, on decoded values: again and again until nobody has. */
import type { Deadline } from "../client/deadline.ts";
import type { Item } from "../client/item.ts";
import type { Change } from "../client/update.ts";
import { ConflictError, invalidType } from "../errors.ts";
import type { KeyList } from "./keys.ts";
import { type Lifetimes, secondsToLive } from "./lifetime.ts";
import { pause } from "./pause.ts";
import { type Encoded, isPlainObject, type RecordCodec, type Stocked } from "./record.ts";
import type { Records } from "./records.ts";

const MAX_TRIES = 100;
const MAX_PAUSE_MS = 10;

/**
 * Changes what stands under the first of the keys that has anything; stores under the first of all
 * where none has. A Session stays one, with its creation and its own time to live.
 */
export async function updateRecord<V>(
  records: Records,
  keys: KeyList,
  fn: Change<V>,
  lifetimes: Lifetimes,
  ttl: number | undefined,
  deadline: Deadline,
): Promise<V | undefined> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    let key = keys[0];
    let item: Item<Stocked> | undefined;
    for (const candidate of keys) {
      item = await records.read(candidate, deadline.left());
      if (item === undefined) continue;
      key = candidate;
      break;
    }
    const current = item?.value;
    const next = await deadline.within(Promise.resolve(fn(current?.value as V | undefined)));
    if (next === undefined) return current?.value as V | undefined;
    const record = encodeNext(next, current, records.codec);
    const how = deadline.left(ttl ?? ttlOf(current, lifetimes));
    const stored = item === undefined
      ? await records.add(key, record, how)
      : await records.cas(key, record, item.cas, how) === "stored";
    if (stored) return next;
    await deadline.within(pause(MAX_PAUSE_MS));
  }
  throw new ConflictError(`others kept writing: gave up after ${MAX_TRIES} tries`);
}

function encodeNext(next: unknown, current: Stocked | undefined, codec: RecordCodec): Encoded {
  const session = current?.session;
  if (session === undefined) return codec.encodeValue(next);
  if (!isPlainObject(next)) throw invalidType("a session's fields must be an object");
  return codec.encodeSession(next, session.createdAt, session.ttl);
}

function ttlOf(current: Stocked | undefined, lifetimes: Lifetimes): number {
  const session = current?.session;
  if (session === undefined) return lifetimes.ttl;
  return secondsToLive(session.ttl, session.createdAt, lifetimes);
}

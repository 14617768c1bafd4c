/** `lru_crawler metadump`: every key with what is known about its item. */
import { type Item, slabClass } from "./item.ts";
import type { ServerState } from "./state.ts";

/** The line of an item; nothing for one that is no longer to be had. */
export function describe({ store, timeline: { now, started } }: ServerState, item: Item): string {
  // An item that expires this very second is still shown.
  if ((item.exptime !== 0 && item.exptime < now) || store.isFlushed(item)) return "";
  const size = store.sizeOf(item);
  return [
    `key=${encodeUri(item.key)}`,
    `exp=${item.exptime === 0 ? -1 : item.exptime + started}`,
    `la=${item.time + started}`,
    `cas=${item.cas}`,
    `fetch=${item.fetched ? "yes" : "no"}`,
    `cls=${slabClass(size)}`,
    `size=${size}\n`,
  ].join(" ");
}

/** Bytes, one per character, with all but letters, digits and `-._~` as percent signs and two digits. */
function encodeUri(bytes: string): string {
  return bytes.replace(/[^A-Za-z0-9._~-]/g, (character) => {
    return "%" + character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0");
  });
}

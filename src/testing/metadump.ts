/** `lru_crawler metadump` lists every key with what is known about its item. */
import { type Item, slabClass } from "./item.ts";
import type { ServerState } from "./state.ts";

/** Makes the line of an item; it is empty for an item that can no longer be read. */
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

/** Encodes bytes, one per character: all but letters, digits and `-._~` become a percent sign and two digits. */
function encodeUri(bytes: string): string {
  return bytes.replace(/[^A-Za-z0-9._~-]/g, (character) => {
    return "%" + character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0");
  });
}

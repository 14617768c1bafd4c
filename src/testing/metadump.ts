/** `lru_crawler metadump`: every key with what is known about its item. */
import { type Item, itemSize, slabClass } from "./item.ts";
import type { ServerState } from "./state.ts";

/** The dump of all chosen items that are still to be had, in no particular order, with its `END`. */
export function metadump(state: ServerState, chosen: (item: Item) => boolean): string {
  const { store, timeline: { now, started } } = state;
  let text = "";
  for (const item of store.items()) {
    // An item that expires this very second is still shown.
    if ((item.exptime !== 0 && item.exptime < now) || store.isFlushed(item)) continue;
    if (chosen(item)) text += describe(item, started);
  }
  return `${text}END\r\n`;
}

function describe(item: Item, started: number): string {
  const size = itemSize(item);
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

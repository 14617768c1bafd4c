/**
 * Which words of an error line may be shown: a proxy may repeat the request in it, and with it the key.
 */
import { Buffer } from "node:buffer";

// A message shows this many characters of a server's own words.
const MAX_WORDS = 200;

// A word that shares this many characters in a row with a key is taken for a part of it: proxies cut
// lines, escape bytes and take off route prefixes.
const SHARED = 5;

// What may stand around a key in a sentence.
const PUNCTUATION = /[^\w-]+/;

const CUT = "<key>";

/** An error line in which each word that is, holds or is a part of one of the keys is cut out. */
export function withoutKeys(line: string, keys: readonly string[]): string {
  // The line was read as latin1, a character for each byte.
  const all = keys.map((key) => Buffer.from(key).toString("latin1"));
  const joined = all.join(" ");
  const short = new Set(all.filter((key) => key.length < SHARED));
  const holdsShort = (word: string): boolean =>
    short.size > 0 && (short.has(word) || word.split(PUNCTUATION).some((part) => short.has(part)));
  return line
    .replace(/\S+/g, (word) => holdsShort(word) || sharesText(word, joined) ? CUT : word)
    .slice(0, MAX_WORDS);
}

function sharesText(word: string, keys: string): boolean {
  for (let from = 0; from + SHARED <= word.length; from++) {
    if (keys.includes(word.slice(from, from + SHARED))) return true;
  }
  return false;
}

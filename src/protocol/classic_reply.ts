/** Reading the lines of the classic dialect's replies. */
import type { Buffer } from "node:buffer";
import { CR, LF, SPACE } from "./ascii.ts";
import { digitsEnd, isCount, isDigit, readNumber, readToken } from "./digits.ts";
import {
  GARBAGE,
  IMPOSSIBLE_SIZE,
  INCOMPLETE,
  Kind,
  parseStatusLine,
  type Reply,
  type ReplyKind,
} from "./reply.ts";

// Every line that consists of fixed words, with its CRLF.
const WORDS: ReadonlyArray<readonly [bytes: Uint8Array, kind: ReplyKind]> = ([
  ["END", Kind.miss],
  ["STORED", Kind.stored],
  ["NOT_STORED", Kind.notStored],
  ["NOT_FOUND", Kind.notFound],
  ["EXISTS", Kind.exists],
  ["DELETED", Kind.deleted],
  ["TOUCHED", Kind.touched],
  ["MN", Kind.noop],
] as const).map(([word, kind]) => [new TextEncoder().encode(`${word}\r\n`), kind]);

const VALUE = new TextEncoder().encode("VALUE ");

/** Reads the line at `at`. Returns where it ends, INCOMPLETE or GARBAGE. */
export function parseClassicLine(bytes: Buffer, at: number, end: number, reply: Reply): number {
  reply.reset();
  const first = bytes[at]!;
  if (at === end) return INCOMPLETE;
  if (isDigit(first)) return parseNumber(bytes, at, end, reply);
  if (first === VALUE[0] && bytes[at + 1] === VALUE[1]) return parseValue(bytes, at, end, reply);
  for (let i = 0; i < WORDS.length; i++) {
    const [word, kind] = WORDS[i]!;
    const same = sameBytes(bytes, at, end, word);
    if (same === word.length) {
      reply.kind = kind;
      return at + same;
    }
    if (at + same === end) return INCOMPLETE;
  }
  return parseStatusLine(bytes, at, end, reply);
}

/** How many bytes from `at` on are those of `word`. */
function sameBytes(bytes: Buffer, at: number, end: number, word: Uint8Array): number {
  const most = Math.min(word.length, end - at);
  let n = 0;
  while (n < most && bytes[at + n] === word[n]) n++;
  return n;
}

/** `<number>\r\n`, the answer to incr and decr. */
function parseNumber(bytes: Buffer, at: number, end: number, reply: Reply): number {
  const to = digitsEnd(bytes, at);
  const after = lineEnd(bytes, to, end);
  if (after > 0 && !isCount(bytes, at, to)) return GARBAGE;
  if (after > 0) {
    reply.kind = Kind.number;
    reply.bytes = bytes;
    reply.from = at;
    reply.to = to;
  }
  return after;
}

/** `VALUE <key> <flags> <bytes> [<cas unique>]\r\n`. */
function parseValue(bytes: Buffer, at: number, end: number, reply: Reply): number {
  const same = sameBytes(bytes, at, end, VALUE);
  if (same < VALUE.length) return at + same === end ? INCOMPLETE : GARBAGE;
  const keyFrom = at + VALUE.length;
  let p = keyFrom;
  // No byte of a key is a space or a control character, so the line feed behind the end stops this.
  while (bytes[p]! > SPACE) p++;
  reply.keyFrom = keyFrom;
  reply.keyTo = p;
  if (bytes[p] !== SPACE || p === keyFrom) return p >= end ? INCOMPLETE : GARBAGE;
  let from = p + 1;
  p = digitsEnd(bytes, from);
  reply.flags = readNumber(bytes, from, p);
  if (bytes[p] !== SPACE || p === from) return p >= end ? INCOMPLETE : GARBAGE;
  from = p + 1;
  p = digitsEnd(bytes, from);
  reply.size = readNumber(bytes, from, p);
  if (p === from) return p >= end ? INCOMPLETE : GARBAGE;
  if (reply.size >= IMPOSSIBLE_SIZE) return GARBAGE;
  if (bytes[p] === SPACE) {
    from = p + 1;
    p = digitsEnd(bytes, from);
    reply.cas = readToken(bytes, from, p);
    if (p === from) return p >= end ? INCOMPLETE : GARBAGE;
  }
  reply.bytes = bytes;
  reply.kind = Kind.value;
  return lineEnd(bytes, p, end);
}

/** Returns where the line ends. Its CRLF must be at `at`. */
function lineEnd(bytes: Buffer, at: number, end: number): number {
  if (at >= end) return INCOMPLETE;
  if (bytes[at] !== CR) return GARBAGE;
  if (at + 1 >= end) return INCOMPLETE;
  return bytes[at + 1] === LF ? at + 2 : GARBAGE;
}

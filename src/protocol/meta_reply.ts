/** Reading the lines of the meta dialect's replies. */
import type { Buffer } from "node:buffer";
import { CR, LF, SPACE, ZERO } from "./ascii.ts";
import { digitsEnd, isDigit, readNumber, readToken } from "./digits.ts";
import {
  GARBAGE,
  IMPOSSIBLE_SIZE,
  INCOMPLETE,
  Kind,
  parseStatusLine,
  type Reply,
  type ReplyKind,
} from "./reply.ts";

const MINUS = 0x2d;
const A = 0x41;
const C = 0x63;
const F = 0x66;
const S = 0x73;
const O = 0x4f;
const T = 0x74;
// Flags that may come with any item, asked for or not: win, stale, win already given.
const W = 0x57;
const X = 0x58;
const Z = 0x5a;

const VA = 0x5641;
const HD = 0x4844;
const EN = 0x454e;
const NS = 0x4e53;
const EX = 0x4558;
const NF = 0x4e46;
const MN = 0x4d4e;

/** The kind of reply that begins with the two letters; 0: they begin no meta reply. */
function kindOfWord(word: number): ReplyKind | 0 {
  switch (word) {
    case HD:
      return Kind.done;
    case EN:
      return Kind.miss;
    case NS:
      return Kind.notStored;
    case EX:
      return Kind.exists;
    case NF:
      return Kind.notFound;
    case MN:
      return Kind.noop;
    default:
      return 0;
  }
}

/** Reads the line at `at`. Returns where it ends, INCOMPLETE or GARBAGE. */
export function parseMetaLine(bytes: Buffer, at: number, end: number, reply: Reply): number {
  reply.reset();
  // The shortest line is "HD\r\n"; bytes that do not begin with a letter will never be a line.
  if (end - at < 4) return at < end && bytes[at]! < A ? GARBAGE : INCOMPLETE;
  const word = (bytes[at]! << 8) | bytes[at + 1]!;
  let p = at + 2;
  if (word === VA) {
    if (bytes[p] !== SPACE) return GARBAGE;
    const from = p + 1;
    p = digitsEnd(bytes, from);
    if (p === from) return p >= end ? INCOMPLETE : GARBAGE;
    reply.kind = Kind.value;
    reply.size = readNumber(bytes, from, p);
    if (reply.size >= IMPOSSIBLE_SIZE) return GARBAGE;
    reply.bytes = bytes;
  } else {
    const kind = kindOfWord(word);
    // "EN" differs from "ERROR" in the second letter, as "NS" does from all words of a status line.
    if (kind === 0) return parseStatusLine(bytes, at, end, reply);
    reply.kind = kind;
  }
  return parseFlags(bytes, p, end, reply);
}

/** The flags behind the word, in the order they were asked for: ` f16 c230 t-1 O17\r\n`. */
function parseFlags(bytes: Buffer, at: number, end: number, reply: Reply): number {
  let p = at;
  while (bytes[p] === SPACE) {
    const letter = bytes[p + 1]!;
    const from = p + 2;
    // Most flags have a number. To read it in one pass, without a call, saves 3 % of a get.
    let number = 0;
    let byte: number;
    for (p = from; isDigit(byte = bytes[p]!); p++) number = number * 10 + (byte - ZERO);
    switch (letter) {
      case O:
        reply.opaque = number;
        break;
      case F:
        reply.flags = number;
        break;
      case C:
        reply.cas = readToken(bytes, from, p);
        break;
      case T:
        if (p === from && byte === MINUS) {
          p = digitsEnd(bytes, from + 1);
          if (p === from + 1) return p >= end ? INCOMPLETE : GARBAGE;
          number = -1;
        }
        reply.ttl = number;
        break;
      case S:
        reply.itemSize = number;
        break;
      case W:
        reply.won = reply.leased = true;
        p = from;
        continue;
      case Z:
        reply.leased = true;
        p = from;
        continue;
      case X:
        reply.stale = true;
        p = from;
        continue;
      default:
        return from > end ? INCOMPLETE : GARBAGE;
    }
    if (p === from) return p >= end ? INCOMPLETE : GARBAGE;
  }
  if (p >= end) return INCOMPLETE;
  if (bytes[p] !== CR) return GARBAGE;
  if (p + 1 >= end) return INCOMPLETE;
  return bytes[p + 1] === LF ? p + 2 : GARBAGE;
}

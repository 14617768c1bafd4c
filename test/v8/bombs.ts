/** Bytes that are made to do harm: each claims, nests or repeats what no real value would. */
import { Buffer } from "node:buffer";

/** Encodes a number as unsigned LEB128. */
export function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value > 0x7f; value = Math.floor(value / 128)) bytes.push((value % 128) | 0x80);
  return [...bytes, value];
}

function text(latin1: string): Buffer {
  return Buffer.from(latin1, "latin1");
}

/** Joins a header and parts: Latin-1 text, numbers as varints, bytes. */
export function value(...parts: readonly (string | number | Uint8Array)[]): Buffer {
  const bodies = parts.map((part) => {
    if (typeof part === "string") return text(part);
    return typeof part === "number" ? Buffer.from(varint(part)) : part;
  });
  return Buffer.concat([Uint8Array.of(0xff, 0x0f), ...bodies]);
}

function body(...parts: readonly (string | number | Uint8Array)[]): Buffer {
  return value(...parts).subarray(2);
}

function repeat(part: string | Uint8Array, count: number): Buffer {
  const bytes = typeof part === "string" ? text(part) : part;
  return Buffer.alloc(bytes.length * count, bytes);
}

/** Encodes an array that has the same value `count` times. */
function array(part: string | Uint8Array, count: number): Buffer {
  return value("A", count, repeat(part, count), "$", 0, count);
}

function sparse(length: number): Buffer {
  return body("a", length, "@", 0, length);
}

function pattern(source: string, flags: number): Buffer {
  return value("R", '"', source.length, source, flags);
}

const U = 16;
const V = 256;
const I = 2;
const MEGABYTE = 1_000_000;
const MANY = 4294967295;

/** One value of each kind, in as few bytes as possible. */
const SMALLEST: Readonly<Record<string, string | Uint8Array>> = {
  undefined: "_",
  hole: "-",
  string: '"\0',
  object: "o{\0",
  "object of one key": 'o"\x01aT{\x01',
  array: "A\0$\0\0",
  "array of one": "A\x01T$\0\x01",
  "sparse array": "a\0@\0\0",
  "sparse array of 1024": sparse(1024),
  "sparse array of 99,999": sparse(99_999),
  map: ";:\0",
  set: "'T,\x01",
  date: "D\0\0\0\0\0\0\0\0",
  regexp: 'R"\0\0',
  buffer: "B\0",
  "buffer of one": "B\x01a",
  "Uint8Array": "\\\x01\0",
  "Float64Array": "\\\x08\0",
  "DataView": "\\\x09\x01a",
  "Buffer": "\\\x0a\x01a",
  resizable: "~\0\0",
  error: "r.",
  "error with a message": 'rm"\x01a.',
  "boxed boolean": "y",
  "boxed string": 's"\0',
  bigint: "Z\x02\x05",
  "view of a view's buffer": "B\0VB\0\0\0",
};

/** Every bomb by name. */
export const bombs: Readonly<Record<string, Buffer>> = {
  "1,107 bytes that abort native: 100 sparse arrays of 16 million": array(sparse(16_000_000), 100),
  "100 sparse arrays of 64 million": array(sparse(64_000_000), 100),
  "1000 sparse arrays of 1023": array(sparse(1023), 1000),
  "1000 sparse arrays of 99,999, what JavaScriptCore would allot": array(sparse(99_999), 1000),
  "a sparse array of 32 million": value(sparse(32_000_000)),
  "a sparse array of the greatest length": value(sparse(MANY)),
  "sparse arrays with their last element": array(
    body("a", 50_000, "I", 99_998, "T@", 1, 50_000),
    500,
  ),
  "a dense array that claims 2^32 - 1": value("A", MANY),
  "900 dense arrays, each claiming all that is left": value(
    ...Array.from({ length: 900 }, (_, i) => body("A", 99_000 - 4 * i)),
    repeat("_", 100_000),
  ),
  "a bigint that claims 2^31 bytes": value("Z", MANY - 1),
  "a negative zero as bigint": value("Z", 1),
  "a bigint of 1 MB": value("Z", 2 * MEGABYTE, repeat("\xff", MEGABYTE)),
  "a string that claims 2^32 - 1": value('"', MANY),
  "a two-byte string that claims 2^32 - 2": value("c", MANY - 1),
  "a two-byte string of half a character": value("c", 3, "abc"),
  "a UTF-8 string that claims 2^32 - 1": value("S", MANY),
  "a buffer that claims 2^32 - 1": value("B", MANY),
  "a view that claims 2^32 - 1": value("\\", 1, MANY),
  "a resizable buffer of up to 4 GB": value("~", 0, MANY),
  "1000 resizable buffers of up to 16 MB": array(body("~", 0, 16_000_000), 1000),
  "a resizable buffer longer than its limit": value("~", 5, 4, "abcde"),
  "a host object of an unknown class": value("\\", 99, 0),
  "a host object of the greatest class": value("\\", MANY, 0),
  "a Float64Array of 7 bytes": value("\\", 8, 7, "1234567"),
  "a view past its buffer": value("B", 4, "abcdVB", 2, 3, 0),
  "a view at 2^32 - 1": value("B", 4, "abcdVB", MANY, MANY, 0),
  "a view at an odd place": value("B", 4, "abcdVW", 1, 2, 0),
  "a view of an unknown class": value("B", 4, "abcdVz", 0, 1, 0),
  "a view that tracks a fixed buffer": value("B", 4, "abcdVB", 0, 0, 1),
  "a varint of more than 32 bits": value('"', repeat("\xff", 4), "\x10"),
  "a varint without end": value('"', repeat("\xff", MEGABYTE)),
  "a million bytes of padding": value(repeat("\0", MEGABYTE)),
  "a million object counts": value(repeat("?\0", MEGABYTE / 2), "T"),
  "a reference to nothing": value("^", 0),
  "a reference beyond all": value("A", 1, "^", MANY, "$", 0, 1),
  "a reference as key": value("o^", 0, "T{", 1),
  "a boolean as key": value("oTT{", 1),
  "an object as key": value("oo{", 0, "T{", 1),
  "a wrong count of properties": value("o", '"\x01aT{', 2),
  "a wrong count of elements": value("A", 1, "T$", 0, 2),
  "a wrong count of members": value(";TT:", 1),
  "a Map of half an entry": value(";T:", 1),
  "an error's unknown part": value("rx."),
  "a regular expression with an experimental flag": pattern("a", 64),
  "a regular expression with unknown flags": pattern("a", 512),
  "a regular expression with both u and v": pattern("a", U | V),
  "an invalid regular expression": pattern("(", 0),
  "1 MB of \\p{L}, 37 s in V8": pattern("\\p{L}".repeat(200_000), U),
  "1 MB of \\p{L} in a class": pattern(`[${"\\p{L}".repeat(200_000)}]`, U),
  "4 KB of \\p{RGI_Emoji}": pattern("\\p{RGI_Emoji}".repeat(290), V),
  "10 of \\p{RGI_Emoji}": pattern(`[${"\\p{RGI_Emoji}".repeat(10)}]`, V | I),
  "2 KB of classes": pattern("[^\\W]".repeat(340), V | I),
  "1 MB of parentheses": pattern("(".repeat(500_000) + ")".repeat(500_000), 0),
  "2 KB of parentheses": pattern("(".repeat(1024) + ")".repeat(1024), 0),
  "nested repetition": pattern("(?:".repeat(400) + "a" + "{999})".repeat(400), 0),
  "2 KB of named groups": pattern(Array.from({ length: 230 }, (_, i) => `(?<a${i}>)`).join(""), 0),
  "Bun's own format": Buffer.from("0e00000002030000800100000061050100000000ffffffff", "hex"),
  "Bun's own format of a Buffer": Buffer.from("ff42554e010e0000000c00000000", "hex"),
  ...Object.fromEntries(
    ["A\x01", 'o"\x01a', ";T", "'", "rc", "a\x01I\0", ";"].map((open) => [
      `a million levels of ${JSON.stringify(open)}`,
      value(repeat(open, MEGABYTE)),
    ]),
  ),
  ...Object.fromEntries(
    [..."tuwmp!+%@{$:,.-\xff"].map((
      tag,
    ) => [`the tag ${JSON.stringify(tag)}`, value(tag, "\0\0\0\0\0")]),
  ),
};

/** About 1 MB of one kind of value each, which takes any reader some time. */
export const megabytes: Readonly<Record<string, Buffer>> = {
  ...Object.fromEntries(
    Object.entries(SMALLEST).map(([name, part]) => [
      `1 MB of ${name}`,
      array(part, Math.floor(MEGABYTE / part.length)),
    ]),
  ),
  "100,000 different keys": value(
    "o",
    ...Array.from({ length: 100_000 }, (_, i) => `"\x06${String(i).padStart(6, "k")}T`),
    "{",
    100_000,
  ),
  "200,000 times the same key": value("o", repeat('"\x01aT', 200_000), "{", 200_000),
  "100,000 indexes far apart": value(
    "o",
    ...Array.from({ length: 100_000 }, (_, i) => body("I", (i * 40_009) % 0x7fff_ffff * 2, "T")),
    "{",
    100_000,
  ),
};

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { crc32 } from "../../src/hashing/crc32.ts";
import { md5Word, md5Words } from "../../src/hashing/md5.ts";
import { lowBytes, murmur3, murmur3Start } from "../../src/hashing/murmur3.ts";
import { oneAtATime } from "../../src/hashing/one_at_a_time.ts";
import { sha1Word } from "../../src/hashing/sha1.ts";

/** Texts of every length around the edges of one, two and three blocks, of 1- to 4-byte characters. */
const TEXTS = ["a", "\x7f", "\x80", "é", "€", "😀"].flatMap((character) =>
  Array.from({ length: 201 }, (_, length) => character.repeat(length))
);

test("md5 is MD5 at every length", () => {
  for (const text of TEXTS) {
    const digest = createHash("md5").update(text).digest();
    const words = [0, 4, 8, 12].map((offset) => digest.readUInt32LE(offset));
    assert.deepEqual(md5Words(text), words, `${text.length} times ${text[0]}`);
    assert.equal(md5Word(text), words[0]);
  }
});

test("sha1 is SHA-1 at every length", () => {
  for (const text of TEXTS) {
    const digest = createHash("sha1").update(text).digest();
    assert.equal(sha1Word(text), digest.readUInt32BE(0), `${text.length} times ${text[0]}`);
  }
});

test("hashes of one text do not depend on the text before", () => {
  const before = md5Words("short");
  md5Words("x".repeat(1000));
  sha1Word("é".repeat(30));
  assert.deepEqual(md5Words("short"), before);
});

/** Computes CRC-32 bit by bit, as its definition says. */
function slowCrc32(text: string): number {
  let crc = 0xffffffff;
  for (const byte of Buffer.from(text)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

test("crc32 is CRC-32", () => {
  assert.equal(crc32("123456789"), 0xcbf43926);
  assert.equal(crc32(""), 0);
  for (const text of TEXTS) assert.equal(crc32(text), slowCrc32(text));
  assert.equal(crc32("abcdé"), slowCrc32("abcdé"));
});

test("one-at-a-time is Jenkins's for ASCII", () => {
  assert.equal(oneAtATime("a"), 0xca2e9442);
  assert.equal(oneAtATime("The quick brown fox jumps over the lazy dog"), 0x519e91f5);
  assert.equal(oneAtATime(""), 0);
});

test("one-at-a-time takes bytes from 0x80 up for negative numbers", () => {
  // By hand: é is c3 a9, -61 and -87 as C's char on x86-64.
  let hash = 0n;
  const mask = 0xffffffffn;
  for (const byte of [-61n, -87n]) {
    hash = (hash + byte) & mask;
    hash = (hash + (hash << 10n)) & mask;
    hash ^= hash >> 6n;
  }
  hash = (hash + (hash << 3n)) & mask;
  hash ^= hash >> 11n;
  hash = (hash + (hash << 15n)) & mask;
  assert.equal(oneAtATime("é"), Number(hash));
});

test("murmur3 is MurmurHash3 for ASCII, wherever the text is cut", () => {
  const known: readonly (readonly [string, number])[] = [
    ["", 0],
    ["hello", 0x248bfa47],
    ["hello, world", 0x149bbb7f],
    ["The quick brown fox jumps over the lazy dog", 0x2e4ff723],
  ];
  for (const [text, hash] of known) {
    for (let cut = 0; cut <= text.length; cut++) {
      const start = murmur3Start(text.slice(0, cut));
      assert.equal(murmur3(start, lowBytes(text.slice(cut))), hash, `${text} cut at ${cut}`);
    }
  }
});

test("murmur3 reads the low eight bits of code points, as pymemcache does", () => {
  assert.deepEqual([...lowBytes("aé€😀z")], [0x61, 0xe9, 0xac, 0x00, 0x7a]);
});

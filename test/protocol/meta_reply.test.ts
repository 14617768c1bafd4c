// Parses one line of the meta dialect at a time, without a socket.
import { describe, test } from "node:test";
import { parseMetaLine } from "../../src/protocol/meta_reply.ts";
import { Kind } from "../../src/protocol/reply.ts";
import { checkEveryPrefix, checkGarbage, type Read } from "./lines.ts";

const LINES: ReadonlyArray<readonly [line: string, read: Read]> = [
  ["HD", { kind: Kind.done }],
  ["HD O0", { kind: Kind.done, opaque: 0 }],
  ["HD O999999", { kind: Kind.done, opaque: 999_999 }],
  ["HD c67 O1", { kind: Kind.done, cas: 67, opaque: 1 }],
  ["EN", { kind: Kind.miss }],
  ["EN O17", { kind: Kind.miss, opaque: 17 }],
  ["NS O3", { kind: Kind.notStored, opaque: 3 }],
  ["EX O3", { kind: Kind.exists, opaque: 3 }],
  ["NF O3", { kind: Kind.notFound, opaque: 3 }],
  ["MN", { kind: Kind.noop }],
  ["VA 0", { kind: Kind.value, size: 0 }],
  ["VA 3 f16 O1", { kind: Kind.value, size: 3, flags: 16, opaque: 1 }],
  ["VA 3 O1 f16", { kind: Kind.value, size: 3, flags: 16, opaque: 1 }],
  ["VA 3 f4294967295 c230 t1800 O1", {
    kind: Kind.value,
    size: 3,
    flags: 2 ** 32 - 1,
    cas: 230,
    ttl: 1800,
    opaque: 1,
  }],
  ["VA 3 f0 c18446744073709551615 t-1 O1", {
    kind: Kind.value,
    flags: 0,
    size: 3,
    cas: "18446744073709551615",
    ttl: -1,
    opaque: 1,
  }],
  ["VA 3 f0 c999999999999999 t0 O1", {
    kind: Kind.value,
    flags: 0,
    size: 3,
    cas: 999_999_999_999_999,
    ttl: 0,
    opaque: 1,
  }],
  // Tokens that another client's leases leave on an item, in either order.
  ["VA 3 f0 O1 W", { kind: Kind.value, size: 3, flags: 0, opaque: 1, won: true, leased: true }],
  ["VA 3 W f8 X Z O1", {
    kind: Kind.value,
    size: 3,
    flags: 8,
    opaque: 1,
    won: true,
    leased: true,
  }],
  ["VA 0 f0 X Z O1", { kind: Kind.value, size: 0, flags: 0, opaque: 1, leased: true }],
  ["VA 0 f0 X O1", { kind: Kind.value, size: 0, flags: 0, opaque: 1 }],
  ["HD s30 f1 c2 t9 O1", { kind: Kind.done, itemSize: 30, flags: 1, cas: 2, ttl: 9, opaque: 1 }],
  ["HD O1 X W", { kind: Kind.done, opaque: 1, won: true, leased: true }],
  [`VA ${2 ** 30} O1`, { kind: Kind.value, size: 2 ** 30, opaque: 1 }],
  ["VERSION 1.6.18", { kind: Kind.version, text: "VERSION 1.6.18" }],
  ["ERROR", { kind: Kind.error, text: "ERROR" }],
  ["CLIENT_ERROR invalid flag", { kind: Kind.error, text: "CLIENT_ERROR invalid flag" }],
  ["SERVER_ERROR object too large for cache", {
    kind: Kind.error,
    text: "SERVER_ERROR object too large for cache",
  }],
];

const GARBAGE_LINES = [
  "",
  " HD",
  // The parser waits for four bytes.
  "H\r\nHD",
  "HDX",
  "hd",
  "HD ",
  "HD  O1",
  "HD O",
  "HD O1 ",
  "HD Ox",
  "HD O1x",
  "HD O-1",
  "HD O1,2",
  "HD k1",
  "HD 1",
  "HD W1",
  "HD WX",
  "HD\tO1",
  "OK",
  "END",
  "EXISTS",
  "NS1",
  "MNN",
  "NOT_FOUND",
  "STORED",
  "VALUE k 0 1",
  "VA",
  "VA ",
  "VA x",
  "VA -1",
  "VA 1x",
  "VA  1",
  "VA 1  O1",
  "VA 1 t-",
  "VA 1 t- O1",
  "VA 1 t--1",
  "VA 1 c",
  "VA 1 c-1",
  "VA 1 f",
  "VA 1 fx",
  "VA 1 s1x",
  "12",
  "VERSION",
  "ERRORS",
  "SERVER_ERROR_X",
];

describe("a meta line", () => {
  test("is read when it is complete, and never before", () => {
    for (const [line, read] of LINES) checkEveryPrefix(parseMetaLine, `${line}\r\n`, read);
  });

  test("that is not a reply is garbage, and no part of it is a reply", () => {
    for (const line of GARBAGE_LINES) checkGarbage(parseMetaLine, `${line}\r\n`);
  });

  test("ends in CRLF, not in LF or CR alone", () => {
    for (const [line] of LINES) {
      // The parser waits for four bytes before it looks at a line, because the shortest has four.
      checkGarbage(parseMetaLine, `${line}\nHD\r\n`);
      if (!/^(VERSION|ERROR|CLIENT_|SERVER_)/.test(line)) checkGarbage(parseMetaLine, `${line}\rX`);
    }
  });

  test("with a size that no item can have is garbage", () => {
    for (const size of [2 ** 30 + 1, 12345678901, "9".repeat(400)]) {
      checkGarbage(parseMetaLine, `VA ${size} O1\r\n`);
    }
  });
});

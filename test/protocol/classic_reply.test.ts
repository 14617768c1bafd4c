// Parses one line of the classic dialect at a time, without a socket.
import { describe, test } from "node:test";
import { parseClassicLine } from "../../src/protocol/classic_reply.ts";
import { Kind } from "../../src/protocol/reply.ts";
import { checkEveryPrefix, checkGarbage, type Read } from "./lines.ts";

const LINES: ReadonlyArray<readonly [line: string, read: Read]> = [
  ["END", { kind: Kind.miss }],
  ["STORED", { kind: Kind.stored }],
  ["NOT_STORED", { kind: Kind.notStored }],
  ["NOT_FOUND", { kind: Kind.notFound }],
  ["EXISTS", { kind: Kind.exists }],
  ["DELETED", { kind: Kind.deleted }],
  ["TOUCHED", { kind: Kind.touched }],
  ["MN", { kind: Kind.noop }],
  ["0", { kind: Kind.number, bytes: "0" }],
  ["18446744073709551615", { kind: Kind.number, bytes: "18446744073709551615" }],
  ["VALUE a 0 0", { kind: Kind.value, flags: 0, key: "a", size: 0 }],
  ["VALUE key:1 16 5", { kind: Kind.value, key: "key:1", flags: 16, size: 5 }],
  ["VALUE k 4294967295 1048576", { kind: Kind.value, key: "k", flags: 2 ** 32 - 1, size: 2 ** 20 }],
  ["VALUE k 2 1 7", { kind: Kind.value, key: "k", flags: 2, size: 1, cas: 7 }],
  ["VALUE k 0 3 999999999999999", {
    kind: Kind.value,
    flags: 0,
    key: "k",
    size: 3,
    cas: 999_999_999_999_999,
  }],
  // A token of 16 or more digits may not be exact as a number.
  ["VALUE k 0 3 1000000000000000", {
    kind: Kind.value,
    flags: 0,
    key: "k",
    size: 3,
    cas: "1000000000000000",
  }],
  ["VALUE k 0 3 18446744073709551615", {
    kind: Kind.value,
    flags: 0,
    key: "k",
    size: 3,
    cas: "18446744073709551615",
  }],
  [`VALUE ${"k".repeat(250)} 16 0 1`, {
    kind: Kind.value,
    key: "k".repeat(250),
    flags: 16,
    size: 0,
    cas: 1,
  }],
  ["VALUE \xc3\xa9\xff 0 1", { kind: Kind.value, flags: 0, key: "\xc3\xa9\xff", size: 1 }],
  ["VALUE VALUE 0 1", { kind: Kind.value, flags: 0, key: "VALUE", size: 1 }],
  ["VERSION 1.6.18", { kind: Kind.version, text: "VERSION 1.6.18" }],
  ["VERSION 1.6.18 b\xe4r", { kind: Kind.version, text: "VERSION 1.6.18 b\xe4r" }],
  ["ERROR", { kind: Kind.error, text: "ERROR" }],
  ["ERROR Too many open connections", {
    kind: Kind.error,
    text: "ERROR Too many open connections",
  }],
  ["CLIENT_ERROR bad data chunk", { kind: Kind.error, text: "CLIENT_ERROR bad data chunk" }],
  ["CLIENT_ERROR", { kind: Kind.error, text: "CLIENT_ERROR" }],
  ["SERVER_ERROR out of memory storing object", {
    kind: Kind.error,
    text: "SERVER_ERROR out of memory storing object",
  }],
  ["SERVER_ERROR", { kind: Kind.error, text: "SERVER_ERROR" }],
  ["SERVER_ERROR: shutdown not enabled", {
    kind: Kind.error,
    text: "SERVER_ERROR: shutdown not enabled",
  }],
];

const GARBAGE_LINES = [
  "",
  " ",
  "END ",
  "ENDE",
  "end",
  "STORE",
  "STOREDX",
  "NOT_",
  "NOT_STORED NOT_STORED",
  "EXIST",
  "HD",
  "VA 1",
  "MNN",
  "12 ",
  "1x",
  "-1",
  "\x001",
  "VALUE",
  "VALUE ",
  "VALUE  0 1",
  "VALUE k",
  "VALUE k ",
  "VALUE k 0",
  "VALUE k 0 ",
  "VALUE k x 1",
  "VALUE k 0 x",
  "VALUE k 0 -1",
  "VALUE k -1 1",
  "VALUE k 0 1 ",
  "VALUE k 0 1 x",
  "VALUE k 0 1 1 1",
  "VALUE k  0 1",
  "VALUE k 0 1\r",
  "VALUES k 0 1",
  "VALUE\tk 0 1",
  "VALUE k\x00 0 1",
  "VERSION",
  "VERSIONS 1",
  "ERRORS",
  "CLIENT_ERROR_X",
  "SERVER_ERRORX",
  "STAT pid 1",
  "OK",
];

describe("a classic line", () => {
  test("is read when it is complete, and never before", () => {
    for (const [line, read] of LINES) checkEveryPrefix(parseClassicLine, `${line}\r\n`, read);
  });

  test("that is not a reply is garbage, and no part of it is a reply", () => {
    for (const line of GARBAGE_LINES) checkGarbage(parseClassicLine, `${line}\r\n`);
  });

  test("ends in CRLF, not in LF or CR alone", () => {
    for (const [line] of LINES) {
      checkGarbage(parseClassicLine, `${line}\n`);
      if (!/^(VERSION|ERROR|CLIENT_|SERVER_)/.test(line)) {
        checkGarbage(parseClassicLine, `${line}\rX`);
      }
    }
  });

  test("with a size that no item can have is garbage", () => {
    checkEveryPrefix(parseClassicLine, `VALUE k 0 ${2 ** 30}\r\n`, {
      kind: Kind.value,
      flags: 0,
      key: "k",
      size: 2 ** 30,
    });
    for (const size of [2 ** 30 + 1, 12345678901, "9".repeat(400)]) {
      checkGarbage(parseClassicLine, `VALUE k 0 ${size}\r\n`);
      checkGarbage(parseClassicLine, `VALUE k 0 ${size} 1\r\n`);
    }
  });
});

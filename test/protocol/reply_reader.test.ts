// Reads whole streams of replies, cut in every way, for the commands that wait for them.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, test } from "node:test";
import type { DialectName } from "../../src/protocol/dialect.ts";
import { type Asked, everyCut, feed, latin1, type Outcome, type Told } from "./feeding.ts";
import { STREAMS } from "./reply_streams.ts";

const get = (key: string): Asked => ({ operation: "get", key });
const cas: Asked = { operation: "cas", key: "a", cas: "1" };

/** Asserts that this is the outcome, however the stream is cut. */
function checkEveryCut(
  dialect: DialectName,
  asked: readonly Asked[],
  bytes: string,
  expected: Outcome,
): void {
  for (const pieces of everyCut(latin1(bytes))) {
    const sizes = pieces.length > 2 ? "byte by byte" : pieces.map((p) => p.length).join(" + ");
    assert.deepEqual(
      feed(dialect, asked, pieces),
      expected,
      `${JSON.stringify(bytes)} in ${dialect}, cut ${sizes}`,
    );
  }
}

describe("a stream of replies, whole, byte by byte and cut at every place", () => {
  for (const { what, dialect, asked, bytes, told } of STREAMS) {
    test(`${dialect}: ${what}`, () => {
      checkEveryCut(dialect, asked, bytes, { told, inStep: true, waiting: 0 });
    });
  }

  test("that ends too early leaves the rest waiting", () => {
    for (const { dialect, asked, bytes, told } of STREAMS) {
      const stream = latin1(bytes);
      for (let length = 0; length < stream.length; length += 3) {
        const outcome = feed(dialect, asked, [stream.subarray(0, length)]);
        assert.equal(outcome.inStep, true);
        assert.ok(outcome.waiting > 0);
        assert.deepEqual(outcome.told, told.slice(0, outcome.told.length));
      }
    }
  });
});

describe("an unexpected reply is out of step, however it is cut", () => {
  const WRONG: ReadonlyArray<
    readonly [
      what: string,
      dialect: DialectName,
      asked: readonly Asked[],
      bytes: string,
      told?: readonly Told[],
    ]
  > = [
    ["another key's value", "classic", [get("a")], "VALUE b 0 1\r\n1\r\nEND\r\n"],
    ["a longer key", "classic", [get("a")], "VALUE aa 0 1\r\n1\r\nEND\r\n"],
    ["another key of the same bytes but one", "classic", [get("é")], "VALUE \xc3\xa8 0 1\r\n1\r\n"],
    ["a second value", "classic", [get("a")], "VALUE a 0 1\r\n1\r\nVALUE a 0 1\r\n2\r\nEND\r\n", [
      { of: 0, kind: "value", value: "1" },
    ]],
    [
      "a value for no key of several",
      "classic",
      [{ operation: "getMany", keys: ["a", "b"] }],
      "VALUE c 0 1\r\n1\r\n",
    ],
    ["STORED for get", "classic", [get("a")], "STORED\r\n"],
    ["END for set", "classic", [{ operation: "set", key: "a" }], "END\r\n"],
    ["EXISTS for set", "classic", [{ operation: "set", key: "a" }], "EXISTS\r\n"],
    ["NOT_FOUND for add", "classic", [{ operation: "add", key: "a" }], "NOT_FOUND\r\n"],
    ["EXISTS for delete", "classic", [{ operation: "delete", key: "a" }], "EXISTS\r\n"],
    [
      "DELETED for a conditional delete",
      "classic",
      [{ operation: "delete", key: "a", cas: "1" }],
      "DELETED\r\n",
    ],
    ["DELETED for touch", "classic", [{ operation: "touch", key: "a", exptime: 0 }], "DELETED\r\n"],
    ["a number for touch", "classic", [{ operation: "touch", key: "a", exptime: 0 }], "1\r\n"],
    [
      "END for the touch behind gets",
      "classic",
      [{ operation: "gets", key: "a", exptime: 5 }],
      "END\r\nEND\r\n",
      [
        { of: 0, kind: "miss" },
      ],
    ],
    [
      "another key's value for refresh",
      "classic",
      [{ operation: "refresh", key: "a", exptime: 5 }],
      "TOUCHED\r\nVALUE b 0 1 7\r\n1\r\nEND\r\n",
    ],
    ["a value before the touch of refresh is answered", "classic", [
      { operation: "refresh", key: "a", exptime: 5 },
    ], "VALUE a 0 1 7\r\n1\r\nEND\r\n"],
    ["no flags for refresh", "meta", [
      { operation: "refresh", key: "a", exptime: 5 },
    ], "HD c7 O0\r\n"],
    ["a meta reply in classic", "classic", [get("a")], "EN O0\r\n"],
    ["a value that is longer than its size", "classic", [get("a")], "VALUE a 0 1\r\n12\r\nEND\r\n"],
    ["a value that is shorter than its size", "classic", [get("a")], "VALUE a 0 3\r\n1\r\nEND\r\n"],
    ["MN unasked", "classic", [get("a")], "MN\r\n"],
    ["another opaque", "meta", [get("a")], "VA 1 f0 O1\r\n1\r\n"],
    ["no opaque", "meta", [get("a")], "VA 1 f0\r\n1\r\n"],
    ["no opaque on a miss", "meta", [get("a")], "EN\r\n"],
    ["the opaque of the next", "meta", [get("a"), get("b")], "EN O0\r\nEN O2\r\n", [
      { of: 0, kind: "miss" },
    ]],
    ["the opaque of the one before", "meta", [get("a"), get("b")], "EN O0\r\nEN O0\r\n", [
      { of: 0, kind: "miss" },
    ]],
    ["HD for get", "meta", [get("a")], "HD O0\r\n"],
    ["EN for set", "meta", [{ operation: "set", key: "a" }], "EN O0\r\n"],
    ["NS for set", "meta", [{ operation: "set", key: "a" }], "NS O0\r\n"],
    ["EX for add", "meta", [{ operation: "add", key: "a" }], "EX O0\r\n"],
    ["VA for has", "meta", [{ operation: "has", key: "a" }], "VA 1 O0\r\n1\r\n"],
    ["EN for delete", "meta", [{ operation: "delete", key: "a" }], "EN O0\r\n"],
    ["NOT_STORED for cas", "classic", [cas], "NOT_STORED\r\n"],
    ["NOT_STORED for cas", "meta", [cas], "NOT_STORED\r\n"],
    ["a meta reply for cas", "meta", [cas], "HD O0\r\n"],
    ["a meta reply for cas", "meta", [cas], "EX\r\n"],
    ["a meta reply for cas", "meta", [cas], "NF O0\r\n"],
    ["DELETED for cas", "meta", [cas], "DELETED\r\n"],
    ["the reply of cas for get", "meta", [get("a")], "STORED\r\n"],
    ["the reply of cas for get", "meta", [get("a")], "NOT_FOUND\r\n"],
    ["the reply of cas for a conditional delete", "meta", [
      { operation: "delete", key: "a", cas: "1" },
    ], "EXISTS\r\n"],
    ["the reply of cas for set", "meta", [{ operation: "set", key: "a" }], "STORED\r\n"],
    [
      "a reply of cas too many",
      "meta",
      [get("a"), cas, get("b")],
      "EN O0\r\nEXISTS\r\nEXISTS\r\n",
      [
        { of: 0, kind: "miss" },
        { of: 1, kind: "exists" },
      ],
    ],
    ["a reply of cas that is missing", "meta", [get("a"), cas, get("b")], "EN O0\r\nEN O1\r\n", [
      { of: 0, kind: "miss" },
    ]],
    ["a version for get", "meta", [get("a")], "VERSION 1.6.18\r\n"],
    ["a classic reply in meta", "meta", [get("a")], "VALUE a 0 1\r\n1\r\nEND\r\n"],
    ["a value that is longer than its size", "meta", [get("a")], "VA 1 f0 O0\r\n12\r\n"],
    ["one reply too many", "meta", [get("a")], "EN O0\r\nEN O1\r\n", [{ of: 0, kind: "miss" }]],
    ["one reply too many", "classic", [get("a")], "END\r\nEND\r\n", [{ of: 0, kind: "miss" }]],
    ["bytes that nobody asked for", "classic", [], "E"],
    ["bytes that nobody asked for", "meta", [], "H"],
    ["a line that does not end", "classic", [get("a")], "SERVER_ERROR " + "x".repeat(2100)],
    ["a line that does not end", "meta", [get("a")], "SERVER_ERROR " + "x".repeat(2100)],
    ["a key that does not end", "classic", [get("a")], "VALUE " + "x".repeat(2100)],
  ];

  for (const [what, dialect, asked, bytes, told = []] of WRONG) {
    test(`${dialect}: ${what}`, () => {
      const waiting = asked.length -
        told.filter(({ kind }) => kind === "miss" || kind === "exists").length;
      const open = asked[0]?.operation === "gets" ? 1 : waiting;
      checkEveryCut(dialect, asked, bytes, { told, inStep: false, waiting: open });
    });
  }
});

describe("a large value is read into a buffer of its own", () => {
  const DIALECTS: readonly DialectName[] = ["classic", "meta"];
  const SIZES = [16_383, 16_384, 16_385, 65_535, 65_536, 65_537, 200_000];

  function streamOf(dialect: DialectName, value: string): Buffer {
    const size = value.length;
    return dialect === "meta"
      ? latin1(`VA ${size} f16 O0\r\n${value}\r\nEN O1\r\nVA ${size} f16 O2\r\n${value}\r\n`)
      : latin1(
        `VALUE a 16 ${size}\r\n${value}\r\nEND\r\nEND\r\nVALUE c 16 ${size}\r\n${value}\r\nEND\r\n`,
      );
  }

  /** Cuts around every edge of the first value, and pieces of even sizes. */
  function* cuts(stream: Buffer, size: number): Generator<Uint8Array[]> {
    const header = stream.indexOf("\n") + 1;
    const places = [header, 16_384, 65_536, header + size, header + size + 2].flatMap((place) =>
      [-2, -1, 0, 1, 2].map((by) => place + by)
    );
    for (const at of places) {
      if (at > 0 && at < stream.length) yield [stream.subarray(0, at), stream.subarray(at)];
    }
    for (const piece of [stream.length, 60_000, 16_384, 1448, 997]) {
      const pieces: Uint8Array[] = [];
      for (let at = 0; at < stream.length; at += piece) {
        pieces.push(stream.subarray(at, at + piece));
      }
      yield pieces;
    }
  }

  for (const dialect of DIALECTS) {
    test(`${dialect}: whole, in pieces, and cut around its edges`, () => {
      for (const size of SIZES) {
        const value = "0123456789abcdef\r\nEND\r\n".repeat(size / 20).slice(0, size);
        const stream = streamOf(dialect, value);
        for (const pieces of cuts(stream, size)) {
          const { told, inStep, waiting } = feed(dialect, ["a", "b", "c"].map(get), pieces);
          const what = `${size} bytes cut ${pieces.map((piece) => piece.length).join(" ")}`;
          assert.deepEqual([inStep, waiting, told.length], [true, 0, 3], what);
          assert.ok(told[0]?.value === value && told[2]?.value === value, what);
          assert.deepEqual(told[1], { of: 1, kind: "miss" }, what);
        }
      }
    });

    test(`${dialect}: one that nobody wants is skipped`, () => {
      for (const size of [16_384, 70_000, 200_000]) {
        const stream = streamOf(dialect, "x".repeat(size));
        for (const pieces of cuts(stream, size)) {
          const first = { ...get("a"), settled: true };
          const { told, inStep, waiting } = feed(dialect, [first, get("b"), get("c")], pieces);
          const what = `${size} bytes cut ${pieces.map((piece) => piece.length).join(" ")}`;
          assert.deepEqual([inStep, waiting], [true, 0], what);
          assert.deepEqual(told[0], { of: 0, kind: "value", size, flags: 16 }, what);
          assert.equal(told[2]?.value?.length, size, what);
        }
        const tooLarge = feed(dialect, ["a", "b", "c"].map(get), [stream], size - 1);
        assert.deepEqual([tooLarge.inStep, tooLarge.waiting], [true, 0]);
        assert.deepEqual(tooLarge.told[2], { of: 2, kind: "value", size, flags: 16 });
      }
    });

    test(`${dialect}: one without its CRLF is out of step`, () => {
      const stream = streamOf(dialect, "x".repeat(20_000));
      const end = stream.indexOf("x\r\n") + 1;
      for (const at of [end, end + 1]) {
        const spoilt = Buffer.from(stream);
        spoilt[at] = 0x20;
        for (const pieces of [[spoilt], [spoilt.subarray(0, at), spoilt.subarray(at)]]) {
          for (const settled of [false, true]) {
            const asked = [{ ...get("a"), settled }, get("b"), get("c")];
            assert.deepEqual(feed(dialect, asked, pieces), { told: [], inStep: false, waiting: 3 });
          }
        }
      }
    });
  }
});

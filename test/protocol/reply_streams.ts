/** Streams of replies, the commands that wait for them, and what must be reported of each. */
import type { DialectName } from "../../src/protocol/dialect.ts";
import type { Asked, Told } from "./feeding.ts";

/** A stream whose last byte is that of a reply. */
export interface Stream {
  readonly what: string;
  readonly dialect: DialectName;
  readonly asked: readonly Asked[];
  /** The stream, with one character per byte. */
  readonly bytes: string;
  readonly told: readonly Told[];
  /** Whether the stream stays in step. Default true. */
  readonly inStep?: boolean;
  /** How many commands have no complete reply. Default 0. */
  readonly waiting?: number;
}

const get = (key: string): Asked => ({ operation: "get", key });

const CLASSIC: readonly Omit<Stream, "dialect">[] = [
  {
    what: "a value, a miss, an empty value",
    asked: [get("a"), get("b"), get("c")],
    bytes: "VALUE a 16 5\r\nhello\r\nEND\r\nEND\r\nVALUE c 0 0\r\n\r\nEND\r\n",
    told: [
      { of: 0, kind: "value", value: "hello", flags: 16 },
      { of: 1, kind: "miss" },
      { of: 2, kind: "value", value: "" },
    ],
  },
  {
    what: "a value that looks like replies",
    asked: [get("a"), get("b")],
    bytes: "VALUE a 0 32\r\n\r\nEND\r\nVALUE b 0 3\r\nxyz\r\nEND\r\n\r\n\r\nEND\r\n" +
      "VALUE b 0 1\r\n\n\r\nEND\r\n",
    told: [
      { of: 0, kind: "value", value: "\r\nEND\r\nVALUE b 0 3\r\nxyz\r\nEND\r\n\r\n" },
      { of: 1, kind: "value", value: "\n" },
    ],
  },
  {
    what: "gets with a token, and a touch behind it",
    asked: [
      { operation: "gets", key: "a" },
      { operation: "gets", key: "a", exptime: 60 },
      { operation: "gat", key: "a", exptime: 60 },
      { operation: "gat", key: "b", exptime: 60 },
    ],
    bytes: "VALUE a 4 1 77\r\n5\r\nEND\r\n" +
      "VALUE a 4 1 12345678901234567890\r\n5\r\nEND\r\nTOUCHED\r\n" +
      "VALUE a 4 1\r\n5\r\nEND\r\nNOT_FOUND\r\n" +
      "END\r\nTOUCHED\r\n",
    told: [
      { of: 0, kind: "value", value: "5", flags: 4, cas: 77 },
      { of: 1, kind: "value", value: "5", flags: 4, cas: "12345678901234567890" },
      { of: 1, kind: "done" },
      { of: 2, kind: "value", value: "5", flags: 4 },
      { of: 2, kind: "notFound" },
      { of: 3, kind: "miss" },
      { of: 3, kind: "done" },
    ],
  },
  {
    what: "refresh: touch, then gets, whose value is read past",
    asked: [
      { operation: "refresh", key: "a", exptime: 60 },
      { operation: "refresh", key: "b", exptime: 60 },
      { operation: "refresh", key: "c", exptime: 60 },
      get("d"),
    ],
    bytes: "TOUCHED\r\nVALUE a 4 1 77\r\n5\r\nEND\r\n" +
      "NOT_FOUND\r\nEND\r\n" +
      "SERVER_ERROR timeout\r\nSERVER_ERROR timeout\r\nEND\r\n",
    told: [
      { of: 0, kind: "value", value: "5", flags: 4, cas: 77 },
      { of: 1, kind: "miss" },
      { of: 2, kind: "error", text: "SERVER_ERROR timeout" },
      { of: 2, kind: "error", text: "SERVER_ERROR timeout" },
      { of: 3, kind: "miss" },
    ],
  },
  {
    what: "several keys: all, some, none, in another order",
    asked: [
      { operation: "getMany", keys: ["a", "b", "c"] },
      { operation: "getMany", keys: ["a", "b"] },
      { operation: "getMany", keys: ["a", "b", "c"] },
    ],
    bytes: "VALUE a 0 1\r\n1\r\nVALUE b 0 1\r\n2\r\nVALUE c 0 1\r\n3\r\nEND\r\n" +
      "END\r\n" +
      "VALUE c 0 1\r\n3\r\nVALUE a 0 1\r\n1\r\nEND\r\n",
    told: [
      { of: 0, kind: "value", value: "1", index: 0 },
      { of: 0, kind: "value", value: "2", index: 1 },
      { of: 0, kind: "value", value: "3", index: 2 },
      { of: 2, kind: "value", value: "3", index: 2 },
      { of: 2, kind: "value", value: "1", index: 0 },
    ],
  },
  {
    what: "the words of every storage command",
    asked: [
      { operation: "set", key: "a" },
      { operation: "add", key: "a" },
      { operation: "cas", key: "a", cas: "1" },
      { operation: "cas", key: "a", cas: "1" },
      { operation: "delete", key: "a" },
      { operation: "delete", key: "a", cas: "1" },
      { operation: "touch", key: "a", exptime: 0 },
      { operation: "increment", key: "a" },
      { operation: "decrement", key: "a" },
      { operation: "version" },
    ],
    bytes: "STORED\r\nNOT_STORED\r\nEXISTS\r\nNOT_FOUND\r\nDELETED\r\nSTORED\r\nTOUCHED\r\n" +
      "18446744073709551615\r\nNOT_FOUND\r\nVERSION 1.6.18\r\n",
    told: [
      { of: 0, kind: "done" },
      { of: 1, kind: "notStored" },
      { of: 2, kind: "exists" },
      { of: 3, kind: "notFound" },
      { of: 4, kind: "done" },
      { of: 5, kind: "done" },
      { of: 6, kind: "done" },
      { of: 7, kind: "value", value: "18446744073709551615" },
      { of: 8, kind: "notFound" },
      { of: 9, kind: "version", text: "VERSION 1.6.18" },
    ],
  },
  {
    what: "errors in place of END, of STORED and of a number",
    asked: [
      get("a"),
      { operation: "getMany", keys: ["a", "b"] },
      { operation: "set", key: "a" },
      { operation: "increment", key: "a" },
    ],
    bytes: "SERVER_ERROR out of memory writing get response\r\n" +
      "VALUE a 0 1\r\n1\r\nSERVER_ERROR timeout\r\n" +
      "SERVER_ERROR object too large for cache\r\n" +
      "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n",
    told: [
      { of: 0, kind: "error", text: "SERVER_ERROR out of memory writing get response" },
      { of: 1, kind: "value", value: "1", index: 0 },
      { of: 1, kind: "error", text: "SERVER_ERROR timeout", index: 0, upTo: 2 },
      { of: 2, kind: "error", text: "SERVER_ERROR object too large for cache" },
      {
        of: 3,
        kind: "error",
        text: "CLIENT_ERROR cannot increment or decrement non-numeric value",
      },
    ],
  },
];

const META: readonly Omit<Stream, "dialect">[] = [
  {
    what: "a value, a miss, an empty value",
    asked: [get("a"), get("b"), get("c")],
    bytes: "VA 5 f16 O0\r\nhello\r\nEN O1\r\nVA 0 f0 O2\r\n\r\n",
    told: [
      { of: 0, kind: "value", value: "hello", flags: 16 },
      { of: 1, kind: "miss" },
      { of: 2, kind: "value", value: "" },
    ],
  },
  {
    what: "a value that looks like replies",
    asked: [get("a"), get("b")],
    bytes: "VA 30 f0 O0\r\n\r\nVA 3 f0 O1\r\nxyz\r\nEN O2\r\n\r\n\r\n\r\nVA 1 f0 O1\r\n\n\r\n",
    told: [
      { of: 0, kind: "value", value: "\r\nVA 3 f0 O1\r\nxyz\r\nEN O2\r\n\r\n\r\n" },
      { of: 1, kind: "value", value: "\n" },
    ],
  },
  {
    what: "gets with a token and a TTL",
    asked: [
      { operation: "gets", key: "a" },
      { operation: "gets", key: "a", exptime: 60 },
      { operation: "gat", key: "a", exptime: 60 },
      { operation: "gets", key: "b" },
    ],
    bytes: "VA 1 f4 c77 t-1 O0\r\n5\r\nVA 1 f4 c12345678901234567890 t60 O1\r\n5\r\n" +
      "VA 1 f4 O2\r\n5\r\nEN O3\r\n",
    told: [
      { of: 0, kind: "value", value: "5", flags: 4, cas: 77, ttl: -1 },
      { of: 1, kind: "value", value: "5", flags: 4, cas: "12345678901234567890", ttl: 60 },
      { of: 2, kind: "value", value: "5", flags: 4 },
      { of: 3, kind: "miss" },
    ],
  },
  {
    what: "refresh: flags and token",
    asked: [
      { operation: "refresh", key: "a", exptime: 60 },
      { operation: "refresh", key: "b", exptime: 60 },
    ],
    bytes: "HD f4 c77 O0\r\nEN O1\r\n",
    told: [{ of: 0, kind: "done", flags: 4, cas: 77 }, { of: 1, kind: "miss" }],
  },
  {
    what: "several keys: each has its reply",
    asked: [{ operation: "getMany", keys: ["a", "b", "c"] }, get("d")],
    bytes: "VA 1 f0 O0\r\n1\r\nEN O1\r\nVA 1 f0 O2\r\n3\r\nEN O3\r\n",
    told: [
      { of: 0, kind: "value", value: "1", index: 0 },
      { of: 0, kind: "miss", index: 1 },
      { of: 0, kind: "value", value: "3", index: 2 },
      { of: 1, kind: "miss" },
    ],
  },
  {
    what: "the words of every command",
    asked: [
      { operation: "set", key: "a" },
      { operation: "add", key: "a" },
      { operation: "cas", key: "a", cas: "1" },
      { operation: "cas", key: "a", cas: "1" },
      { operation: "delete", key: "a" },
      { operation: "delete", key: "a", cas: "1" },
      { operation: "touch", key: "a", exptime: 0 },
      { operation: "has", key: "a" },
      { operation: "increment", key: "a" },
      { operation: "decrement", key: "a" },
      { operation: "version" },
    ],
    bytes: "HD O0\r\nNS O1\r\nEXISTS\r\nNOT_FOUND\r\nHD O2\r\nEX O3\r\nEN O4\r\nHD O5\r\n" +
      "VA 20 O6\r\n18446744073709551615\r\nNF O7\r\nVERSION 1.6.18\r\n",
    told: [
      { of: 0, kind: "done" },
      { of: 1, kind: "notStored" },
      { of: 2, kind: "exists" },
      { of: 3, kind: "notFound" },
      { of: 4, kind: "done" },
      { of: 5, kind: "exists" },
      { of: 6, kind: "miss" },
      { of: 7, kind: "done" },
      { of: 8, kind: "value", value: "18446744073709551615" },
      { of: 9, kind: "notFound" },
      { of: 10, kind: "version", text: "VERSION 1.6.18" },
    ],
  },
  {
    what: "cas, whose replies carry no opaque, among others",
    asked: [
      { operation: "cas", key: "a", cas: "1" },
      get("a"),
      { operation: "cas", key: "a", cas: "1" },
      { operation: "cas", key: "b", cas: "2" },
      get("b"),
      { operation: "cas", key: "b", cas: "2" },
    ],
    bytes: "STORED\r\nVA 8 f0 O0\r\nSTORED\r\n\r\nEXISTS\r\nSTORED\r\nEN O1\r\n" +
      "SERVER_ERROR object too large for cache\r\n",
    told: [
      { of: 0, kind: "done" },
      { of: 1, kind: "value", value: "STORED\r\n" },
      { of: 2, kind: "exists" },
      { of: 3, kind: "done" },
      { of: 4, kind: "miss" },
      { of: 5, kind: "error", text: "SERVER_ERROR object too large for cache" },
    ],
  },
  {
    what: "errors, which carry no opaque",
    asked: [get("a"), { operation: "getMany", keys: ["a", "b"] }, { operation: "set", key: "a" }],
    bytes: "SERVER_ERROR out of memory\r\nSERVER_ERROR timeout\r\nVA 1 f0 O2\r\n2\r\n" +
      "SERVER_ERROR object too large for cache\r\n",
    told: [
      { of: 0, kind: "error", text: "SERVER_ERROR out of memory" },
      { of: 1, kind: "error", text: "SERVER_ERROR timeout", index: 0, upTo: 1 },
      { of: 1, kind: "value", value: "2", index: 1 },
      { of: 2, kind: "error", text: "SERVER_ERROR object too large for cache" },
    ],
  },
];

/** Correct streams, in both dialects. */
export const STREAMS: readonly Stream[] = [
  ...CLASSIC.map((stream): Stream => ({ ...stream, dialect: "classic" })),
  ...META.map((stream): Stream => ({ ...stream, dialect: "meta" })),
];

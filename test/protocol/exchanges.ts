/**
 * One conversation in both dialects, byte for byte. It has every operation, in an order in which each finds
 * what it needs on a server that was empty before. Tokens are literal too, because a new server counts from 1.
 */
import { Buffer } from "node:buffer";
import type { Command, Operation } from "../../src/protocol/command.ts";

/** The bytes that go to a server and those that come back. */
export type Exchange = readonly [sent: string, received: string];

/** A command, its bytes and the server's answer. */
export interface Step {
  readonly what: string;
  readonly command: { readonly operation: Operation } & Partial<Command>;
  readonly classic: Exchange;
  readonly meta: Exchange;
}

const IN_THE_PAST = 2_592_001;
const TEXT = "h\r\nEND\r\n";
const BYTES = Uint8Array.from({ length: 256 }, (_, i) => i);
const BINARY = Buffer.from(BYTES).toString("latin1");

/** The conversation. In bytes a character stands for a byte (latin1), in a command's text for itself. */
export const EXCHANGES: readonly Step[] = [
  {
    what: "a miss",
    command: { operation: "get", key: "a" },
    classic: ["get a\r\n", "END\r\n"],
    meta: ["mg a v f O0\r\n", "EN O0\r\n"],
  },
  {
    what: "set of text",
    command: { operation: "set", key: "a", value: TEXT, flags: 16, exptime: 0 },
    classic: [`set a 16 0 8\r\n${TEXT}\r\n`, "STORED\r\n"],
    meta: [`ms a 8 F16 O1\r\n${TEXT}\r\n`, "HD O1\r\n"],
  },
  {
    what: "get",
    command: { operation: "get", key: "a" },
    classic: ["get a\r\n", `VALUE a 16 8\r\n${TEXT}\r\nEND\r\n`],
    meta: ["mg a v f O2\r\n", `VA 8 f16 O2\r\n${TEXT}\r\n`],
  },
  {
    what: "set of bytes with a TTL, under a key that is not ASCII",
    command: { operation: "set", key: "é", value: BYTES, flags: 0, exptime: 600 },
    classic: [`set \xc3\xa9 0 600 256\r\n${BINARY}\r\n`, "STORED\r\n"],
    meta: [`ms \xc3\xa9 256 T600 O3\r\n${BINARY}\r\n`, "HD O3\r\n"],
  },
  {
    what: "gets with a new TTL",
    command: { operation: "gets", key: "é", exptime: 900 },
    classic: [
      "gets \xc3\xa9\r\ntouch \xc3\xa9 900\r\n",
      `VALUE \xc3\xa9 0 256 2\r\n${BINARY}\r\nEND\r\nTOUCHED\r\n`,
    ],
    meta: ["mg \xc3\xa9 v f c t T900 O4\r\n", `VA 256 f0 c2 t600 O4\r\n${BINARY}\r\n`],
  },
  {
    what: "gets",
    command: { operation: "gets", key: "a", exptime: -1 },
    classic: ["gets a\r\n", `VALUE a 16 8 1\r\n${TEXT}\r\nEND\r\n`],
    meta: ["mg a v f c t O5\r\n", `VA 8 f16 c1 t-1 O5\r\n${TEXT}\r\n`],
  },
  {
    what: "gat",
    command: { operation: "gat", key: "a", exptime: 0 },
    classic: ["get a\r\ntouch a 0\r\n", `VALUE a 16 8\r\n${TEXT}\r\nEND\r\nTOUCHED\r\n`],
    meta: ["mg a v f c t T0 O6\r\n", `VA 8 f16 c1 t-1 O6\r\n${TEXT}\r\n`],
  },
  {
    what: "gat of nothing",
    command: { operation: "gat", key: "b", exptime: 1 },
    classic: ["get b\r\ntouch b 1\r\n", "END\r\nNOT_FOUND\r\n"],
    meta: ["mg b v f c t T1 O7\r\n", "EN O7\r\n"],
  },
  {
    what: "has",
    command: { operation: "has", key: "a" },
    classic: ["get a\r\n", `VALUE a 16 8\r\n${TEXT}\r\nEND\r\n`],
    meta: ["mg a s f c O8\r\n", "HD s8 f16 c1 O8\r\n"],
  },
  {
    what: "getMany",
    command: { operation: "getMany", keys: ["a", "b", "é"] },
    classic: [
      "get a b \xc3\xa9\r\n",
      `VALUE a 16 8\r\n${TEXT}\r\nVALUE \xc3\xa9 0 256\r\n${BINARY}\r\nEND\r\n`,
    ],
    meta: [
      "mg a v f O9\r\nmg b v f O10\r\nmg \xc3\xa9 v f O11\r\n",
      `VA 8 f16 O9\r\n${TEXT}\r\nEN O10\r\nVA 256 f0 O11\r\n${BINARY}\r\n`,
    ],
  },
  {
    what: "add",
    command: { operation: "add", key: "n", value: "18446744073709551615", flags: 2, exptime: 0 },
    classic: ["add n 2 0 20\r\n18446744073709551615\r\n", "STORED\r\n"],
    meta: ["ms n 20 ME F2 O12\r\n18446744073709551615\r\n", "HD O12\r\n"],
  },
  {
    what: "add again",
    command: { operation: "add", key: "n", value: "", flags: 0, exptime: 60 },
    classic: ["add n 0 60 0\r\n\r\n", "NOT_STORED\r\n"],
    meta: ["ms n 0 ME T60 O13\r\n\r\n", "NS O13\r\n"],
  },
  {
    what: "increment, which wraps",
    command: { operation: "increment", key: "n", delta: "12" },
    classic: ["incr n 12\r\n", "11\r\n"],
    meta: ["ma n v D12 O14\r\n", "VA 2 O14\r\n11\r\n"],
  },
  {
    what: "decrement, which leaves a space behind",
    command: { operation: "decrement", key: "n", delta: "2" },
    classic: ["decr n 2\r\n", "9\r\n"],
    meta: ["ma n v MD D2 O15\r\n", "VA 1 O15\r\n9\r\n"],
  },
  {
    what: "get of a counter",
    command: { operation: "get", key: "n" },
    classic: ["get n\r\n", `VALUE n 2 20\r\n9${" ".repeat(19)}\r\nEND\r\n`],
    meta: ["mg n v f O16\r\n", `VA 20 f2 O16\r\n9${" ".repeat(19)}\r\n`],
  },
  {
    what: "decrement below nothing",
    command: { operation: "decrement", key: "n", delta: "18446744073709551615" },
    classic: ["decr n 18446744073709551615\r\n", "0\r\n"],
    meta: ["ma n v MD D18446744073709551615 O17\r\n", "VA 1 O17\r\n0\r\n"],
  },
  {
    what: "increment of nothing",
    command: { operation: "increment", key: "b", delta: "1" },
    classic: ["incr b 1\r\n", "NOT_FOUND\r\n"],
    meta: ["ma b v D1 O18\r\n", "NF O18\r\n"],
  },
  {
    what: "decrement of what is no number",
    command: { operation: "decrement", key: "a", delta: "1" },
    classic: [
      "decr a 1\r\n",
      "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n",
    ],
    meta: [
      "ma a v MD D1 O19\r\n",
      "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n",
    ],
  },
  {
    what: "append",
    command: { operation: "append", key: "a", value: "!", flags: 0, exptime: 0 },
    classic: ["append a 0 0 1\r\n!\r\n", "STORED\r\n"],
    meta: ["ms a 1 MA O20\r\n!\r\n", "HD O20\r\n"],
  },
  {
    what: "prepend",
    command: { operation: "prepend", key: "a", value: "é", flags: 0, exptime: 0 },
    classic: ["prepend a 0 0 2\r\n\xc3\xa9\r\n", "STORED\r\n"],
    meta: ["ms a 2 MP O21\r\n\xc3\xa9\r\n", "HD O21\r\n"],
  },
  {
    what: "append to nothing",
    command: { operation: "append", key: "b", value: "!", flags: 0, exptime: 0 },
    classic: ["append b 0 0 1\r\n!\r\n", "NOT_STORED\r\n"],
    meta: ["ms b 1 MA O22\r\n!\r\n", "NS O22\r\n"],
  },
  {
    what: "gets of what was added to",
    command: { operation: "gets", key: "a", exptime: -1 },
    classic: ["gets a\r\n", `VALUE a 16 11 8\r\n\xc3\xa9${TEXT}!\r\nEND\r\n`],
    meta: ["mg a v f c t O23\r\n", `VA 11 f16 c8 t-1 O23\r\n\xc3\xa9${TEXT}!\r\n`],
  },
  {
    what: "replace",
    command: { operation: "replace", key: "a", value: "r", flags: 16, exptime: 0 },
    classic: ["replace a 16 0 1\r\nr\r\n", "STORED\r\n"],
    meta: ["ms a 1 MR F16 O24\r\nr\r\n", "HD O24\r\n"],
  },
  {
    what: "replace of nothing",
    command: { operation: "replace", key: "b", value: "r", flags: 16, exptime: 0 },
    classic: ["replace b 16 0 1\r\nr\r\n", "NOT_STORED\r\n"],
    meta: ["ms b 1 MR F16 O25\r\nr\r\n", "NS O25\r\n"],
  },
  {
    what: "cas with an old token",
    command: { operation: "cas", key: "a", value: "c", flags: 16, exptime: 0, cas: "8" },
    classic: ["cas a 16 0 1 8\r\nc\r\n", "EXISTS\r\n"],
    meta: ["cas a 16 0 1 8\r\nc\r\n", "EXISTS\r\n"],
  },
  {
    what: "cas",
    command: { operation: "cas", key: "a", value: "c", flags: 16, exptime: 30, cas: "9" },
    classic: ["cas a 16 30 1 9\r\nc\r\n", "STORED\r\n"],
    meta: ["cas a 16 30 1 9\r\nc\r\n", "STORED\r\n"],
  },
  {
    what: "cas of nothing",
    command: { operation: "cas", key: "b", value: "c", flags: 16, exptime: 0, cas: "9" },
    classic: ["cas b 16 0 1 9\r\nc\r\n", "NOT_FOUND\r\n"],
    meta: ["cas b 16 0 1 9\r\nc\r\n", "NOT_FOUND\r\n"],
  },
  {
    what: "touch",
    command: { operation: "touch", key: "a", exptime: 100 },
    classic: ["touch a 100\r\n", "TOUCHED\r\n"],
    meta: ["mg a s f c t T100 O26\r\n", "HD s1 f16 c10 t30 O26\r\n"],
  },
  {
    what: "touch of nothing",
    command: { operation: "touch", key: "b", exptime: 0 },
    classic: ["touch b 0\r\n", "NOT_FOUND\r\n"],
    meta: ["mg b s f c t T0 O27\r\n", "EN O27\r\n"],
  },
  {
    what: "conditional delete with an old token",
    command: { operation: "delete", key: "a", cas: "9" },
    classic: [`cas a 0 ${IN_THE_PAST} 0 9\r\n\r\n`, "EXISTS\r\n"],
    meta: ["md a C9 O28\r\n", "EX O28\r\n"],
  },
  {
    what: "conditional delete",
    command: { operation: "delete", key: "a", cas: "10" },
    classic: [`cas a 0 ${IN_THE_PAST} 0 10\r\n\r\n`, "STORED\r\n"],
    meta: ["md a C10 O29\r\n", "HD O29\r\n"],
  },
  {
    what: "conditional delete of what is gone",
    command: { operation: "delete", key: "a", cas: "10" },
    classic: [`cas a 0 ${IN_THE_PAST} 0 10\r\n\r\n`, "NOT_FOUND\r\n"],
    meta: ["md a C10 O30\r\n", "NF O30\r\n"],
  },
  {
    what: "delete",
    command: { operation: "delete", key: "n" },
    classic: ["delete n\r\n", "DELETED\r\n"],
    meta: ["md n O31\r\n", "HD O31\r\n"],
  },
  {
    what: "delete of nothing",
    command: { operation: "delete", key: "n" },
    classic: ["delete n\r\n", "NOT_FOUND\r\n"],
    meta: ["md n O32\r\n", "NF O32\r\n"],
  },
  {
    what: "refresh: a new TTL, then what has it",
    command: { operation: "refresh", key: "é", exptime: 60 },
    classic: [
      "touch \xc3\xa9 60\r\ngets \xc3\xa9\r\n",
      `TOUCHED\r\nVALUE \xc3\xa9 0 256 2\r\n${BINARY}\r\nEND\r\n`,
    ],
    meta: ["mg \xc3\xa9 f c T60 O33\r\n", "HD f0 c2 O33\r\n"],
  },
  {
    what: "refresh of nothing",
    command: { operation: "refresh", key: "n", exptime: 60 },
    classic: ["touch n 60\r\ngets n\r\n", "NOT_FOUND\r\nEND\r\n"],
    meta: ["mg n f c T60 O34\r\n", "EN O34\r\n"],
  },
  {
    what: "lease of a value that is fresh",
    command: { operation: "lease", key: "é", vivify: 3, recache: 11 },
    classic: ["gets \xc3\xa9\r\n", `VALUE \xc3\xa9 0 256 2\r\n${BINARY}\r\nEND\r\n`],
    meta: ["mg \xc3\xa9 v f c N3 R11 O35\r\n", `VA 256 f0 c2 O35\r\n${BINARY}\r\n`],
  },
  {
    what: "lease of a value that is due",
    command: { operation: "lease", key: "é", vivify: 3, recache: 1_000 },
    classic: ["gets \xc3\xa9\r\n", `VALUE \xc3\xa9 0 256 2\r\n${BINARY}\r\nEND\r\n`],
    meta: ["mg \xc3\xa9 v f c N3 R1000 O36\r\n", `VA 256 f0 c2 O36 W\r\n${BINARY}\r\n`],
  },
  {
    what: "lease of nothing",
    command: { operation: "lease", key: "l", vivify: 3, recache: 0 },
    classic: ["gets l\r\n", "END\r\n"],
    meta: ["mg l v f c N3 O37\r\n", "VA 0 f0 c11 O37 W\r\n\r\n"],
  },
  {
    what: "invalidate",
    command: { operation: "invalidate", key: "é", exptime: 30 },
    classic: ["delete \xc3\xa9\r\n", "DELETED\r\n"],
    meta: ["md \xc3\xa9 I T30 O38\r\n", "HD O38\r\n"],
  },
  {
    what: "invalidate of nothing",
    command: { operation: "invalidate", key: "b", exptime: 30 },
    classic: ["delete b\r\n", "NOT_FOUND\r\n"],
    meta: ["md b I T30 O39\r\n", "NF O39\r\n"],
  },
];

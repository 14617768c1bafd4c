/**
 * Feeds replies to the reader of a connection as a socket would bring them: in one piece, byte by byte, and in
 * two pieces that are split at every place.
 */
import { Buffer } from "node:buffer";
import { ReadBuffer } from "../../src/protocol/read_buffer.ts";
import { ReplyReader, type ReplySink } from "../../src/connection/reply_reader.ts";
import { Request } from "../../src/connection/request.ts";
import { ClassicDialect } from "../../src/protocol/classic.ts";
import type { Operation } from "../../src/protocol/command.ts";
import { type Dialect, type DialectName, Verdict } from "../../src/protocol/dialect.ts";
import { MetaDialect } from "../../src/protocol/meta.ts";
import { Kind, type Reply } from "../../src/protocol/reply.ts";
import { WriteBuffer } from "../../src/protocol/write_buffer.ts";

/** A command that waits for its reply. */
export interface Asked {
  readonly operation: Operation;
  readonly key?: string;
  readonly keys?: readonly string[] | null;
  /** As in Request: -1 leaves the ttl as it is. */
  readonly exptime?: number;
  readonly cas?: string;
  /** Whether the caller has gone, so that the value is skipped. */
  readonly settled?: boolean;
}

/** What the reader reported of one reply; fields that it did not set are left out. */
export type Told = Partial<{
  /** The index of the command that it was for. */
  of: number;
  kind: string;
  value: string;
  size: number;
  flags: number;
  cas: number | string;
  ttl: number;
  text: string;
  index: number;
  upTo: number;
  owned: boolean;
}>;

/** The outcome of a stream. */
export interface Outcome {
  readonly told: readonly Told[];
  /** Whether the stream stayed in step; false: a reply was unexpected. */
  readonly inStep: boolean;
  /** How many commands still wait. */
  readonly waiting: number;
}

/** How to cut a stream. */
export type Cut = Iterable<readonly Uint8Array[]>;

/** One piece, single bytes, and two pieces split at every place. */
export function* everyCut(bytes: Uint8Array): Cut {
  yield [bytes];
  yield Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
  for (let at = 1; at < bytes.length; at++) yield [bytes.subarray(0, at), bytes.subarray(at)];
}

/** Makes commands, with the opaques that the dialect gives them. */
export function waitingFor(asked: readonly Asked[], dialect: Dialect): Request<unknown>[] {
  const out = new WriteBuffer();
  return asked.map(
    ({ operation, key = "", keys = null, exptime = -1, cas = "", settled = false }) => {
      const request = new Request<unknown>(operation, key, () => undefined, 1000);
      request.keys = keys;
      request.exptime = exptime;
      request.cas = cas;
      request.settled = settled;
      dialect.encode(request, out);
      return request;
    },
  );
}

/** Returns a dialect as a new connection has it. */
export function newDialect(name: DialectName): Dialect {
  return name === "meta" ? new MetaDialect() : new ClassicDialect();
}

/** Feeds the pieces to a new reader. Values larger than `maxValueBytes` are skipped. */
export function feed(
  name: DialectName,
  asked: readonly Asked[],
  pieces: readonly Uint8Array[],
  maxValueBytes: number = Infinity,
): Outcome {
  const dialect = newDialect(name);
  const requests = waitingFor(asked, dialect);
  const buffer = new ReadBuffer();
  const reader = new ReplyReader(buffer);
  const told: Told[] = [];
  let done = 0;
  const sink: ReplySink = {
    oldest: () => requests[done],
    accept: (request, reply) => dialect.accept(request, reply),
    wants: (request, size) => !request.settled && size <= maxValueBytes,
    replied: (request, reply, verdict) => {
      if (reply.kind !== Kind.nothing) {
        told.push(tell(reply, requests.indexOf(request), request, maxValueBytes));
      }
      if (verdict === Verdict.last) done++;
    },
  };
  const inStep = pour(pieces, buffer, () => reader.read(dialect, sink));
  return { told, inStep, waiting: requests.length - done };
}

/** Puts the pieces into the buffer, and calls `read` after each, until that returns false. */
export function pour(
  pieces: readonly Uint8Array[],
  buffer: ReadBuffer,
  read: () => boolean,
): boolean {
  for (const piece of pieces) {
    for (let from = 0; from < piece.length;) {
      const place = buffer.place();
      const count = Math.min(place.length, piece.length - from);
      place.set(piece.subarray(from, from + count));
      buffer.received(count);
      from += count;
      if (!read()) return false;
    }
  }
  return true;
}

function tell(reply: Reply, of: number, request: Request<unknown>, most: number): Told {
  const kind = Object.entries(Kind).find(([, bit]) => bit === reply.kind)?.[0] ?? "?";
  const told: Told = { of, kind };
  if (reply.kind === Kind.value) {
    const counter = reply.size < 0;
    const kept = counter || (!request.settled && reply.size <= most);
    if (kept) told.value = reply.bytes.toString("latin1", reply.from, reply.to);
    else told.size = reply.size;
    if (reply.owned) told.owned = true;
  }
  if (reply.flags > 0) told.flags = reply.flags;
  if (reply.cas !== 0) told.cas = reply.cas;
  if (reply.ttl !== -2) told.ttl = reply.ttl;
  if (reply.text !== "") told.text = reply.text;
  if (request.keys !== null) {
    told.index = reply.index;
    if (reply.kind === Kind.error) told.upTo = reply.upTo;
  }
  return told;
}

/** Returns the bytes of a text that has only characters up to U+00FF, one byte each. */
export function latin1(text: string): Buffer {
  return Buffer.from(text, "latin1");
}

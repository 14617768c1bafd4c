/**
 * Writing: puts requests into a batch, and the batch onto the socket. In the classic dialect single gets of
 * one batch share lines.
 */
import { Buffer } from "node:buffer";
import type { Dialect } from "../protocol/dialect.ts";
import { WriteBuffer } from "../protocol/write_buffer.ts";
import { getLine, type LineWord, lineWordOf } from "./get_line.ts";
import type { Pending } from "./pending.ts";
import type { Request } from "./request.ts";
import type { Socket } from "./socket.ts";

// A batch of this size leaves at once.
const EARLY_FLUSH_BYTES = 64 * 1024;

// The most that a paced chunk may have: see Socket.pace.
const PACED_BYTES = 16_384;

/** How a connection that is ready writes. */
interface WritingOptions {
  readonly dialect: Dialect;
  /** Each chunk waits until the one before has left. */
  readonly paced: boolean;
  /** Each get has a line to itself. */
  readonly alone: boolean;
}

/** The writing half of a connection that is ready. */
export class Outgoing {
  readonly #socket: Socket;
  readonly #pending: Pending;
  readonly #dialect: Dialect;
  #lineKeys: number;
  readonly #batch: WriteBuffer;
  /** Gets of this batch that will share a line, by the word that it begins with. */
  readonly #lines: Record<LineWord, Request<unknown>[]> = { get: [], gets: [] };
  /** How many they are. */
  #lined = 0;

  constructor(socket: Socket, pending: Pending, { dialect, paced, alone }: WritingOptions) {
    this.#socket = socket;
    this.#pending = pending;
    this.#dialect = dialect;
    this.#lineKeys = alone ? 1 : dialect.lineKeys;
    this.#batch = new WriteBuffer(paced ? PACED_BYTES : Infinity);
    if (paced) socket.pace();
  }

  /** Makes room for a new batch. */
  restart(): void {
    this.#batch.restart(this.#socket.drained);
  }

  /** Writes a request into the batch. */
  add(request: Request<unknown>): void {
    const word = this.#lineKeys > 1 ? lineWordOf(request) : undefined;
    if (word === undefined) {
      // Requests leave in the order in which they were made. Only reads may change places.
      if (this.#lined > 0) this.endLines();
      this.#encode(request);
      return;
    }
    const line = this.#lines[word];
    line.push(request);
    this.#lined++;
    if (line.length === this.#lineKeys) this.#endLine(word);
  }

  /** Writes a get on a line of its own, and from now on every other get too. */
  addAlone(request: Request<unknown>): void {
    this.#lineKeys = 1;
    this.add(request);
  }

  /** Writes the gets that were gathered. */
  endLines(): void {
    this.#endLine("get");
    this.#endLine("gets");
  }

  #endLine(word: LineWord): void {
    const members = this.#takeLine(word);
    if (members.length === 0) return;
    this.#encode(members.length === 1 ? members[0]! : getLine(word, members));
  }

  /** Gives back the gets that were gathered and not written. */
  takeLines(): Request<unknown>[] {
    return [...this.#takeLine("get"), ...this.#takeLine("gets")];
  }

  #takeLine(word: LineWord): Request<unknown>[] {
    const members = this.#lines[word];
    if (members.length === 0) return members;
    this.#lines[word] = [];
    this.#lined -= members.length;
    return members;
  }

  /** Hands the batch to the socket. */
  flush(): void {
    if (this.#lined > 0) this.endLines();
    this.#handOver();
  }

  /**
   * The connection has ended, and what is in the batch may be sent over another one. Values that were copied
   * are taken from the batch: the bytes that the request was given belong to others by now, and may have
   * changed, even their number. See {@link Request.value}.
   */
  unwrite(): void {
    const bytes = Buffer.concat(this.#batch.take());
    for (let i = 0;; i++) {
      const request = this.#pending.batchedAt(i);
      if (request === undefined) return;
      const { valueStart, valueEnd } = request;
      if (valueEnd > 0) request.value = bytes.subarray(valueStart, valueEnd);
    }
  }

  #handOver(): void {
    const chunks = this.#batch.take();
    this.#pending.batchLeaves();
    if (chunks.length > 0) this.#socket.write(chunks);
  }

  #encode(request: Request<unknown>): void {
    this.#dialect.encode(request, this.#batch);
    if (typeof request.value !== "string") {
      request.valueStart = this.#batch.valueStart;
      request.valueEnd = this.#batch.valueEnd;
    }
    this.#pending.pushSent(request);
    if (this.#batch.size < EARLY_FLUSH_BYTES) return;
    this.#handOver();
    this.restart();
  }
}

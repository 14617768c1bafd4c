/**
 * Writing: puts requests into the batch of their tick, and the batch onto the socket. In the classic
 * dialect single gets of one tick share lines.
 */
import type { Dialect } from "../protocol/dialect.ts";
import { WriteBuffer } from "../protocol/write_buffer.ts";
import { getLine } from "./get_line.ts";
import type { Pending } from "./pending.ts";
import type { Request } from "./request.ts";
import type { Socket } from "./socket.ts";

// A batch of this size leaves before its tick ends.
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
  /** Gets of this tick that will share a line. */
  #line: Request<unknown>[] = [];

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
    if (request.operation === "get" && this.#lineKeys > 1) {
      this.#line.push(request);
      if (this.#line.length === this.#lineKeys) this.endLine();
      return;
    }
    // Requests leave in the order in which they were made.
    if (this.#line.length > 0) this.endLine();
    this.#encode(request);
  }

  /** Writes a get on a line of its own, and from now on every other get too. */
  addAlone(request: Request<unknown>): void {
    this.#lineKeys = 1;
    this.add(request);
  }

  /** Writes the gets that were gathered as one line. */
  endLine(): void {
    const members = this.#line;
    if (members.length === 0) return;
    this.#line = [];
    this.#encode(members.length === 1 ? members[0]! : getLine(members));
  }

  /** Gives back the gets that were gathered and not written. */
  takeLine(): Request<unknown>[] {
    const members = this.#line;
    this.#line = [];
    return members;
  }

  /** Hands the batch to the socket. */
  flush(): void {
    if (this.#line.length > 0) this.endLine();
    const chunks = this.#batch.take();
    if (chunks.length > 0) this.#socket.write(chunks);
  }

  #encode(request: Request<unknown>): void {
    this.#dialect.encode(request, this.#batch);
    request.sent = true;
    request.value = "";
    request.items = null;
    this.#pending.pushSent(request);
    if (this.#batch.size < EARLY_FLUSH_BYTES) return;
    this.flush();
    this.restart();
  }
}

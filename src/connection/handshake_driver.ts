/**
 * Takes one connection through its handshake: sends the steps of handshake.ts, reads the replies, and
 * words the error if the server closes or sends something else. Both kinds of connection use it.
 */
import { ClassicDialect } from "../protocol/classic.ts";
import type { DialectName } from "../protocol/dialect.ts";
import type { ReadBuffer } from "../protocol/read_buffer.ts";
import { GARBAGE, INCOMPLETE, Reply } from "../protocol/reply.ts";
import * as failure from "./failure.ts";
import { Handshake, type HandshakeOptions, type Step } from "./handshake.ts";
import { MAX_LINE } from "./reply_reader.ts";
import type { Socket } from "./socket.ts";
import type { Endpoint } from "./target.ts";

// Enough of a reply to tell what it is that answers.
const HEAD_BYTES = 16;

const encoder = new TextEncoder();

/** How far the handshake has come: it waits for a reply, commands can be sent, or it has failed. */
export type HandshakeState =
  | "waiting"
  | { readonly ready: DialectName }
  | { readonly failed: Error };

/** The handshake of one connection. */
export class HandshakeDriver {
  readonly #endpoint: Endpoint;
  readonly #handshake: Handshake;
  readonly #buffer: ReadBuffer;
  readonly #dialect = new ClassicDialect();
  readonly #reply = new Reply();
  /** Connected without TLS, and not a byte has come. */
  #unheard = false;

  /** `buffer` holds what the socket receives. */
  constructor(endpoint: Endpoint, options: Omit<HandshakeOptions, "auth">, buffer: ReadBuffer) {
    this.#endpoint = endpoint;
    this.#handshake = new Handshake({ ...options, auth: endpoint.auth });
    this.#buffer = buffer;
  }

  /** The server's version, "" before it has told it. */
  get version(): string {
    return this.#handshake.version;
  }

  /** Whether a proxy answers: its version is that of another, or it has none. */
  get proxied(): boolean {
    return this.#handshake.proxied;
  }

  /** Whether `mn` was sent and not answered: a server that closes now is a proxy that does not know it. */
  get askedForMeta(): boolean {
    return this.#handshake.askedForMeta;
  }

  /** The socket is connected: sends the first step. */
  connected(socket: Socket): HandshakeState {
    this.#unheard = this.#endpoint.tls === undefined;
    return this.#take(this.#handshake.start(), socket);
  }

  /** Something was received: reads it, and sends what follows from it. */
  received(socket: Socket): HandshakeState {
    this.#unheard = false;
    const buffer = this.#buffer;
    for (;;) {
      const { bytes, start, end } = buffer;
      const after = this.#dialect.parse(bytes, start, end, this.#reply);
      if (after === INCOMPLETE && end - start <= MAX_LINE) return "waiting";
      if (after === INCOMPLETE || after === GARBAGE || this.#reply.size >= 0) {
        return { failed: this.#unpredicted() };
      }
      buffer.start = after;
      const state = this.#take(this.#handshake.next(this.#reply), socket);
      if (state !== "waiting") return state;
    }
  }

  /**
   * The reason why the server cannot be used, now that it has closed the connection; undefined: there is
   * no error.
   */
  closed(error: Error | undefined): Error | undefined {
    return this.#unheard ? failure.closedUnheard(this.#endpoint.ref, error) : error;
  }

  #take(step: Step, socket: Socket): HandshakeState {
    if ("send" in step) {
      socket.write([encoder.encode(step.send)]);
      return "waiting";
    }
    // Bytes behind the handshake's last reply belong to no request.
    if ("ready" in step && this.#buffer.pending) {
      return { failed: failure.outOfStep(this.#endpoint.ref) };
    }
    return step;
  }

  #unpredicted(): Error {
    const { ref } = this.#endpoint;
    // What has told its version is a memcached, or a proxy of one.
    if (this.version !== "") return failure.outOfStep(ref);
    const { bytes, start, end } = this.#buffer;
    const head = bytes.toString("latin1", start, Math.min(end, start + HEAD_BYTES));
    return failure.notMemcached(ref, head);
  }
}

/**
 * A short connection of its own for one administrative command (stats, flush_all, lru_crawler): a proxy
 * closes the connection when it gets one, and a dump takes long. No other request may fail or wait
 * because of that.
 */
import type { MemcachedError } from "../errors.ts";
import { CR, LF } from "../protocol/ascii.ts";
import { ReadBuffer } from "../protocol/read_buffer.ts";
import { onAbort } from "./abort.ts";
import { clearTimeout, setTimeout } from "./clock.ts";
import type { Endpoint } from "./target.ts";
import * as failure from "./failure.ts";
import { HandshakeDriver, type HandshakeState } from "./handshake_driver.ts";
import { Socket, type SocketEvents } from "./socket.ts";

// The longest line is one of a dump: it has a key of up to 250 bytes, each of which may be written as
// %XX.
const MAX_LINE = 4096;
// How long the socket is still read when time is up: after the event loop was blocked, timers run first,
// and the answer may already be in the socket.
const LAST_LOOK_MS = 20;
// Reading pauses while this many lines wait to be taken.
const MAX_LINES = 10_000;

/** How long an admin command may take, and what ends it early. */
export interface AdminLimits {
  /** Milliseconds for the whole exchange if `total`, else for each silence. */
  readonly timeout: number;
  readonly total: boolean;
  readonly connectTimeout: number;
  readonly signal: AbortSignal | undefined;
  /** Whether the command may have been done although its answer was lost. */
  readonly ambiguous: boolean;
  /** Whether nobody waits for it, so that it does not keep the process alive. */
  readonly background?: boolean;
  /** Bytes of the longest line, if there are longer ones than a dump's. */
  readonly maxLine?: number;
}

const encoder = new TextEncoder();

/** One connection for one command. */
export class AdminConnection implements SocketEvents {
  readonly #endpoint: Endpoint;
  readonly #limits: AdminLimits;
  readonly #ended: () => void;
  readonly #socket: Socket;
  readonly #handshake: HandshakeDriver;
  readonly #buffer = new ReadBuffer();
  readonly #forgetSignal: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout>;
  #lastLook = false;
  #commandFor: (version: string) => string = () => "";
  #command = "";
  #ready = false;
  #answered = false;
  #paused = false;
  #lines: string[] = [];
  #error: unknown;
  #over = false;
  #wake: (() => void) | undefined;

  /** `ended` is called once, when the connection is over. */
  constructor(endpoint: Endpoint, limits: AdminLimits, ended: () => void) {
    this.#endpoint = endpoint;
    this.#limits = limits;
    this.#ended = ended;
    this.#handshake = new HandshakeDriver(
      endpoint,
      { protocol: "classic", known: undefined },
      this.#buffer,
    );
    this.#socket = new Socket(endpoint.address, endpoint.tls, limits.connectTimeout, this);
    if (limits.background) this.#socket.hold(false);
    // The timer may end the socket, so it comes after it.
    this.#timer = this.#wait(limits.total ? limits.timeout : limits.connectTimeout);
    const { signal } = limits;
    if (signal !== undefined) this.#forgetSignal = onAbort(signal, (reason) => this.#fail(reason));
  }

  /** The server's version, once the first line has come. */
  get version(): string {
    return this.#handshake.version;
  }

  /** Sends the command that `command` makes of the server's version, and yields the lines of the answer. */
  async *ask(command: (version: string) => string): AsyncGenerator<string, void, void> {
    this.#commandFor = command;
    try {
      for (;;) {
        const lines = this.#lines;
        this.#lines = [];
        yield* lines;
        if (this.#lines.length > 0) continue;
        if (this.#over) throw this.#error;
        if (this.#paused) {
          this.#paused = false;
          this.#socket.pause(false);
        }
        await new Promise<void>((resolve) => this.#wake = resolve);
      }
    } finally {
      this.close();
    }
  }

  /** Ends it. Whoever waits for a line, or asks for more lines than have come, gets the error. */
  close(error: MemcachedError = failure.ownClose()): void {
    this.#fail(error);
  }

  place(): Uint8Array {
    return this.#buffer.place();
  }

  connected(): void {
    this.#goOn(this.#handshake.connected(this.#socket));
  }

  received(count: number): void {
    if (this.#over) return;
    this.#buffer.received(count);
    if (this.#ready) this.#takeLines();
    else this.#goOn(this.#handshake.received(this.#socket));
  }

  closed(error: Error | undefined): void {
    const { ref: server } = this.#endpoint;
    if (!this.#ready) {
      this.#fail(failure.down(server, this.#handshake.closed(error)));
    } else if (error === undefined && !this.#answered) {
      this.#fail(failure.closedInAnswer(server, this.#command, this.#limits.ambiguous));
    } else {
      this.#fail(failure.adminLost(server, error, this.#limits.ambiguous));
    }
  }

  #goOn(state: HandshakeState): void {
    if (state === "waiting") return;
    if ("failed" in state) return this.#fail(failure.down(this.#endpoint.ref, state.failed));
    this.#ready = true;
    this.#command = this.#commandFor(this.version);
    this.#heard();
    this.#socket.write([encoder.encode(`${this.#command}\r\n`)]);
  }

  #takeLines(): void {
    const buffer = this.#buffer;
    const { bytes, end } = buffer;
    for (;;) {
      const lf = bytes.indexOf(LF, buffer.start);
      if (lf < 0 || lf >= end) break;
      // A dump's lines end in LF alone, all others in CRLF.
      const to = lf > buffer.start && bytes[lf - 1] === CR ? lf - 1 : lf;
      this.#lines.push(bytes.toString("latin1", buffer.start, to));
      buffer.start = lf + 1;
      this.#answered = true;
    }
    if (end - buffer.start > (this.#limits.maxLine ?? MAX_LINE)) {
      return this.#fail(failure.outOfStep(this.#endpoint.ref));
    }
    this.#heard();
    if (this.#lines.length > MAX_LINES && !this.#paused) {
      this.#paused = true;
      this.#socket.pause(true);
    }
    this.#notify();
  }

  #wait(ms: number): ReturnType<typeof setTimeout> {
    const timer = setTimeout(() => this.#timedOut(), ms);
    if (this.#limits.background) timer.unref();
    return timer;
  }

  /** The silence is over, and the next one is counted from here. */
  #heard(): void {
    if (this.#limits.total) return;
    this.#lastLook = false;
    clearTimeout(this.#timer);
    this.#timer = this.#wait(this.#limits.timeout);
  }

  #timedOut(): void {
    // While reading is paused, it is not the server that is slow.
    if (this.#paused) {
      this.#timer.refresh();
      return;
    }
    if (!this.#lastLook) {
      this.#lastLook = true;
      this.#timer = this.#wait(LAST_LOOK_MS);
      return;
    }
    const { timeout } = this.#limits;
    const ambiguous = this.#limits.ambiguous && this.#ready;
    const phase = this.#ready ? "sent" : "connecting";
    this.#fail(failure.timeout(this.#endpoint.ref, { timeout, ambiguous }, phase));
  }

  #fail(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    clearTimeout(this.#timer);
    this.#forgetSignal?.();
    this.#socket.destroy();
    this.#ended();
    this.#notify();
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

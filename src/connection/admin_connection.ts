/**
 * A short connection of its own for one administrative command (stats, flush_all, lru_crawler): a
 * proxy closes on them, and a dump takes long; nobody else's request must fail or wait for it.
 */
import type { MemcachedError } from "../errors.ts";
import { CR, LF } from "../protocol/ascii.ts";
import { ReadBuffer } from "../protocol/read_buffer.ts";
import { onAbort } from "./abort.ts";
import { clearTimeout, setTimeout } from "./clock.ts";
import type { Place } from "./target.ts";
import * as failure from "./failure.ts";
import { HandshakeDriver, type HandshakeState } from "./handshake_driver.ts";
import { Socket, type SocketEvents } from "./socket.ts";

// A dump's line has a key of 250 bytes, each written as %XX at worst.
const MAX_LINE = 4096;
// How long sockets are read once more when time is up: after a blocked event loop timers come first,
// and the answer may be here.
const LAST_LOOK_MS = 20;
// Reading pauses while this many lines are not taken.
const MAX_LINES = 10_000;

/** How long an admin command may take, and what stops it. */
export interface AdminLimits {
  /** For the whole exchange if `total`, else for each silence, in ms. */
  readonly timeout: number;
  readonly total: boolean;
  readonly connectTimeout: number;
  readonly signal: AbortSignal | undefined;
  /** Whether a lost answer leaves it open if the command was done. */
  readonly ambiguous: boolean;
}

const encoder = new TextEncoder();

/** One connection for one command. */
export class AdminConnection implements SocketEvents {
  readonly #target: Place;
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

  /** `ended` is told once, when it is over. */
  constructor(target: Place, limits: AdminLimits, ended: () => void) {
    this.#target = target;
    this.#limits = limits;
    this.#ended = ended;
    this.#handshake = new HandshakeDriver(
      target,
      { protocol: "classic", known: undefined },
      this.#buffer,
    );
    this.#socket = new Socket(target.address, target.tls, limits.connectTimeout, this);
    // Not before there is a socket that it can end.
    this.#timer = this.#wait(limits.total ? limits.timeout : limits.connectTimeout);
    const { signal } = limits;
    if (signal !== undefined) this.#forgetSignal = onAbort(signal, (reason) => this.#fail(reason));
  }

  /** What the server says of itself, once the first line has come. */
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

  /** Ends it; who waits for a line, or asks for one more than has come, gets the error. */
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
    const { ref: server } = this.#target;
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
    if ("failed" in state) return this.#fail(failure.down(this.#target.ref, state.failed));
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
    if (end - buffer.start > MAX_LINE) return this.#fail(failure.outOfStep(this.#target.ref));
    this.#heard();
    if (this.#lines.length > MAX_LINES && !this.#paused) {
      this.#paused = true;
      this.#socket.pause(true);
    }
    this.#notify();
  }

  #wait(ms: number): ReturnType<typeof setTimeout> {
    return setTimeout(() => this.#timedOut(), ms);
  }

  /** The silence is over, and the next one counts anew. */
  #heard(): void {
    if (this.#limits.total) return;
    this.#lastLook = false;
    clearTimeout(this.#timer);
    this.#timer = this.#wait(this.#limits.timeout);
  }

  #timedOut(): void {
    // Whoever reads the lines slowly is not the server's fault.
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
    this.#fail(failure.timeout(this.#target.ref, { timeout, ambiguous }, phase));
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

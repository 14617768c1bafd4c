/** One socket of the embedded server. It carries bytes, and causes the faults that a test has ordered. */
import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { Conversation, type Wire } from "./conversation.ts";
import type { Faults, OrderedCut } from "./faults.ts";
import type { Schedule } from "./schedule.ts";
import type { ServerState } from "./state.ts";
import { after, milliseconds } from "./timers.ts";

/** Replies of up to this many bytes are sent in one piece. */
const JOIN_UP_TO = 16 * 1024;

/** How many bytes of replies may wait on a slow line before commands wait too. */
const MOST_DELAYED = 16 * 1024;

/** A line with a limited rate carries a portion of bytes every so many milliseconds. */
const PORTION_TIME = 20;

/** The reasons for which a link does not read, as bits. */
const BLOCKED = 1;
const RESTING = 2;
const STALLED = 4;
const THROTTLED = 8;

interface Delayed {
  readonly bytes: Uint8Array;
  /** When the bytes should reach the client. */
  readonly due: number;
}

/** One connection of an embedded server. */
export class Link implements Wire {
  readonly peer: string;
  readonly local: string;
  readonly #socket: Socket;
  readonly #faults: Faults;
  readonly #schedule: Schedule;
  readonly #conversation: Conversation;
  readonly #unwatch: () => void;
  #pauses = 0;
  /** The pieces that were written since the last push. */
  #written: Uint8Array[] = [];
  #writtenBytes = 0;
  /** The replies that a slow line has not carried yet, and their bytes. */
  readonly #delayed: Delayed[] = [];
  #delayedBytes = 0;
  #cancelPump: (() => void) | undefined;
  /** The received bytes that a slow line has not delivered yet. */
  readonly #arriving: Uint8Array[] = [];
  /** The work that waits until the server is no longer stalled. */
  #postponed: (() => void)[] = [];
  #cut: OrderedCut | undefined;
  #isCut = false;
  #ending = false;

  constructor(socket: Socket, state: ServerState) {
    const { listening: { path }, faults } = state;
    this.peer = path === undefined ? describe(socket.remoteAddress, socket.remotePort) : "?:<AF 0>";
    this.local = path === undefined
      ? describe(socket.localAddress, socket.localPort)
      : `unix:${path}`;
    this.#socket = socket;
    this.#faults = faults;
    this.#schedule = state.schedule;
    this.#conversation = new Conversation(state, this);
    this.#unwatch = faults.watch(() => this.#faultsChanged());
    const id = ++state.lastConnection;
    state.connections.set(id, this.#conversation);
    socket.on("data", (chunk: Uint8Array) => this.#received(chunk));
    socket.on("drain", () => this.#drained());
    socket.on("end", () => this.#do(() => this.#conversation.end()));
    socket.on("close", () => {
      this.#unwatch();
      this.#cancelPump?.();
      this.#conversation.gone();
      state.connections.delete(id);
    });
    this.#faultsChanged();
  }

  write(pieces: readonly Uint8Array[]): boolean {
    for (const piece of pieces) {
      this.#written.push(piece);
      this.#writtenBytes += piece.length;
    }
    if (this.#writtenBytes >= JOIN_UP_TO) this.push();
    return (this.#pauses & BLOCKED) === 0;
  }

  push(): void {
    if (this.#writtenBytes === 0) return;
    const pieces = this.#written;
    const bytes = this.#writtenBytes;
    this.#written = [];
    this.#writtenBytes = 0;
    if (!this.#carry(pieces, bytes)) this.#pause(BLOCKED);
  }

  rest(done: () => void): void {
    this.#pause(RESTING);
    this.#schedule.later(() =>
      this.#do(() => {
        this.#resume(RESTING);
        done();
      })
    );
  }

  end(): void {
    this.push();
    this.#ending = true;
    const resets = this.#isCut && this.#cut?.reset === true;
    if (this.#delayed.length === 0 && !resets) this.#socket.end(() => this.#socket.destroy());
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #received(chunk: Uint8Array): void {
    const slow = this.#faults.slow?.bytesPerSecond !== undefined || this.#arriving.length > 0;
    if (!slow) return this.#do(() => this.#conversation.receive(chunk));
    this.#arriving.push(chunk);
    if (this.#arriving.length > 1) return;
    this.#pause(THROTTLED);
    this.#awaitArrival(chunk);
  }

  /** Hands over received chunks one after the other, each when a slow line would have delivered it. */
  #awaitArrival(chunk: Uint8Array): void {
    const rate = this.#faults.slow?.bytesPerSecond ?? Infinity;
    after((chunk.length / rate) * 1000, () =>
      this.#do(() => {
        this.#arriving.shift();
        this.#conversation.receive(chunk);
        const next = this.#arriving[0];
        if (next !== undefined) this.#awaitArrival(next);
        else this.#resume(THROTTLED);
      }));
  }

  /** Does something now, or if the server is stalled, when the stall ends. */
  #do(work: () => void): void {
    if (this.#faults.stalled || this.#postponed.length > 0) this.#postponed.push(work);
    else if (!this.#socket.destroyed) work();
  }

  #faultsChanged(): void {
    if (this.#faults.stalled) return this.#pause(STALLED);
    const works = this.#postponed;
    this.#postponed = [];
    for (const work of works) this.#do(work);
    this.#pump();
    this.#resume(STALLED);
  }

  #drained(): void {
    if (this.#delayedBytes > 0) return;
    this.#do(() => {
      this.#resume(BLOCKED);
      this.#conversation.resume();
    });
  }

  /** Sends pieces now or, on a slow line, later. Returns false if there should be no more for now. */
  #carry(pieces: readonly Uint8Array[], bytes: number): boolean {
    const { slow } = this.#faults;
    if (slow === null && this.#delayed.length === 0) return this.#send(pieces, bytes);
    const due = milliseconds() + (slow?.latency ?? 0);
    for (const piece of pieces) this.#delayed.push({ bytes: piece, due });
    this.#delayedBytes += bytes;
    this.#pump();
    return this.#delayedBytes <= MOST_DELAYED;
  }

  /** Sends the delayed bytes that are due. */
  #pump(): void {
    this.#cancelPump?.();
    this.#cancelPump = undefined;
    if (this.#faults.stalled || this.#delayed.length === 0) return;
    const { slow } = this.#faults;
    const rate = slow?.bytesPerSecond;
    const pause = rate === undefined ? 0 : Math.max(PORTION_TIME, 1000 / rate);
    let room = rate === undefined ? Infinity : Math.round(rate * pause / 1000);
    const now = milliseconds();
    while (room > 0) {
      const next = this.#delayed[0];
      if (next === undefined || (slow !== null && next.due > now)) break;
      const bytes = next.bytes.subarray(0, room);
      room -= bytes.length;
      this.#delayedBytes -= bytes.length;
      if (bytes.length === next.bytes.length) this.#delayed.shift();
      else this.#delayed[0] = { bytes: next.bytes.subarray(bytes.length), due: next.due };
      this.#send([bytes], bytes.length);
    }
    const next = this.#delayed[0];
    if (next !== undefined) {
      this.#cancelPump = after(Math.max(pause, next.due - now), () => this.#pump());
    } else if (this.#ending) {
      this.end();
    } else if ((this.#pauses & BLOCKED) !== 0 && !this.#socket.writableNeedDrain) {
      this.#drained();
    }
  }

  /** Hands bytes to the socket, up to the point where the connection is to be cut. */
  #send(pieces: readonly Uint8Array[], bytes: number): boolean {
    if (this.#socket.destroyed || this.#isCut) return true;
    this.#cut ??= this.#faults.takeCut();
    if (this.#cut !== undefined) return this.#sendUpToCut(this.#cut, Buffer.concat(pieces));
    if (bytes <= JOIN_UP_TO) {
      return this.#socket.write(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces));
    }
    let ready = true;
    this.#socket.cork();
    for (const piece of pieces) ready = this.#socket.write(piece);
    this.#socket.uncork();
    return ready;
  }

  #sendUpToCut({ after, reset }: OrderedCut, bytes: Buffer): boolean {
    if (bytes.length < after) {
      this.#cut = { after: after - bytes.length, reset };
      return this.#socket.write(bytes);
    }
    this.#isCut = true;
    this.#written = [];
    this.#writtenBytes = 0;
    this.#delayed.length = 0;
    this.#delayedBytes = 0;
    const over = (): void => reset ? resetSocket(this.#socket) : this.end();
    if (after > 0) this.#socket.write(bytes.subarray(0, after), over);
    else over();
    this.#conversation.close();
    return true;
  }

  #pause(reason: number): void {
    this.#pauses |= reason;
    this.#socket.pause();
  }

  #resume(reason: number): void {
    this.#pauses &= ~reason;
    if (this.#pauses === 0) this.#socket.resume();
  }
}

/** Ends a connection by RST. On a unix socket and over TLS, which have no RST, it is just closed. */
function resetSocket(socket: Socket): void {
  try {
    socket.resetAndDestroy();
  } catch {
    socket.destroy();
  }
}

/** Formats one end of a connection as memcached does. */
function describe(host = "", port = 0): string {
  return host.includes(":") ? `tcp6:[${host}]:${port}` : `tcp:${host}:${port}`;
}

/**
 * One connection without its socket: bytes in, replies out.
 *
 * It reads as memcached does, through a buffer of 16 KiB, and sends when what it has read is used up;
 * a value that is still on its way holds back the replies before it.
 */
import { Buffer } from "node:buffer";
import { runLine } from "./commands.ts";
import { Replies } from "./replies.ts";
import type { ConnectionInfo, ServerState } from "./state.ts";
import type { Turn } from "./turn.ts";

/** The socket, as a conversation sees it. */
export interface Wire {
  /** Where the client is, and where it came in: `tcp:127.0.0.1:51234`. */
  readonly peer: string;
  readonly local: string;
  /** Sends pieces in order; false asks to be left alone until {@linkcode Conversation.resume}. */
  write(pieces: Uint8Array[]): boolean;
  /** Closes the connection behind what was written. */
  end(): void;
}

/** Bytes that are looked at together. */
const READ_BUFFER = 16 * 1024;

/** A line that goes on beyond this many bytes without an end must be a `get` of many keys. */
const MAX_UNFINISHED = 2048;

/** Commands after which memcached turns to its other connections, having sent what it has. */
const COMMANDS_A_TURN = 20;

const LF = 0x0a;
const CR = 0x0d;
const EMPTY = Buffer.alloc(0);

interface Reading {
  readonly block: Uint8Array;
  filled: number;
  readonly done: (block: Uint8Array) => void;
}

/** One connection without its socket. */
export class Conversation implements Turn, ConnectionInfo {
  readonly state: ServerState;
  readonly replies: Replies = new Replies();
  readonly #wire: Wire;
  /** The read buffer; what is before `#start` is used up, and up to `#scanned` there is no LF. */
  #buffer: Buffer = EMPTY;
  #start = 0;
  #scanned = 0;
  /** Received, but not in the read buffer yet. */
  #backlog: Buffer[] = [];
  #reading: Reading | undefined;
  #swallowing = 0;
  #budget = 0;
  #running = false;
  #blocked = false;
  #ended = false;
  #closed = false;
  /** When it last sent a command, in relative seconds. */
  lastCommand: number;

  constructor(state: ServerState, wire: Wire) {
    this.state = state;
    this.#wire = wire;
    this.lastCommand = state.timeline.now;
  }

  get peer(): string {
    return this.#wire.peer;
  }

  get local(): string {
    return this.#wire.local;
  }

  /** What it is about, in memcached's words. */
  get condition(): string {
    if (this.#blocked) return "conn_mwrite";
    if (this.#reading !== undefined) return "conn_nread";
    if (this.#swallowing > 0) return "conn_swallow";
    return this.#running ? "conn_parse_cmd" : "conn_read";
  }

  /** Takes bytes from the socket, which are not copied and must not change. */
  receive(chunk: Uint8Array): void {
    if (this.#closed) return;
    this.state.counters.totals.bytes_read += chunk.length;
    this.#backlog.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
    this.#budget = COMMANDS_A_TURN;
    this.#run();
  }

  /** The socket takes bytes again. */
  resume(): void {
    this.#blocked = false;
    this.#run();
    if (this.#ended && !this.#blocked) this.close();
  }

  /** The client has said all it had to say; it may still be reading replies. */
  end(): void {
    if (this.#blocked) this.#ended = true;
    else this.close();
  }

  /** The client is gone, or shall go. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.replies.drop();
    this.#wire.end();
  }

  readBlock(length: number, done: (block: Uint8Array) => void): void {
    this.#reading = { block: new Uint8Array(length), filled: 0, done };
  }

  swallow(length: number): void {
    this.#swallowing = length;
  }

  flush(): void {
    const pieces = this.replies.take();
    if (pieces.length === 0) return;
    for (const piece of pieces) this.state.counters.totals.bytes_written += piece.length;
    if (!this.#wire.write(pieces)) this.#blocked = true;
  }

  #run(): void {
    this.#running = true;
    while (!this.#closed && !this.#blocked && this.#step());
    this.#running = false;
  }

  /** Does what can be done next; false is "more bytes, please". */
  #step(): boolean {
    if (this.#reading !== undefined) return this.#fill(this.#reading);
    if (this.#swallowing > 0) {
      const bytes = this.#take(this.#swallowing);
      this.#swallowing -= bytes.length;
      if (this.#swallowing === 0) this.#commandDone();
      return bytes.length > 0;
    }
    return this.#command();
  }

  #command(): boolean {
    const lf = this.#buffer.indexOf(LF, this.#scanned);
    if (lf < 0) {
      this.#scanned = this.#buffer.length;
      if (this.#buffer.length - this.#start > MAX_UNFINISHED && !this.#isLongGet()) {
        this.close();
        return false;
      }
      this.flush();
      return this.#refill();
    }
    const end = lf > this.#start && this.#buffer[lf - 1] === CR ? lf - 1 : lf;
    const line = this.#buffer.toString("latin1", this.#start, end);
    this.#start = this.#scanned = lf + 1;
    this.lastCommand = this.state.timeline.now;
    this.replies.begin();
    runLine(this, line);
    if (this.#reading === undefined && this.#swallowing === 0) this.#commandDone();
    return true;
  }

  #isLongGet(): boolean {
    return /^ {0,100}gets? /.test(this.#buffer.toString("latin1", this.#start, this.#start + 106));
  }

  #fill(reading: Reading): boolean {
    const bytes = this.#take(reading.block.length - reading.filled);
    reading.block.set(bytes, reading.filled);
    reading.filled += bytes.length;
    if (reading.filled === reading.block.length) {
      this.#reading = undefined;
      reading.done(reading.block);
      this.#commandDone();
    }
    return bytes.length > 0;
  }

  #commandDone(): void {
    if (this.#closed || --this.#budget >= 0) return;
    this.flush();
    this.#budget = COMMANDS_A_TURN - 1;
  }

  /** At most `most` bytes, from the read buffer or straight from what was received. */
  #take(most: number): Uint8Array {
    if (this.#start < this.#buffer.length) {
      const bytes = this.#buffer.subarray(this.#start, this.#start + most);
      this.#start = this.#scanned = this.#start + bytes.length;
      return bytes;
    }
    return this.#takeBacklog(most);
  }

  #takeBacklog(most: number): Buffer {
    const head = this.#backlog[0];
    if (head === undefined) return EMPTY;
    if (head.length <= most) this.#backlog.shift();
    else this.#backlog[0] = head.subarray(most);
    return head.subarray(0, most);
  }

  #refill(): boolean {
    const kept = this.#buffer.subarray(this.#start);
    // Only the line of a long get outgrows the buffer.
    const room = kept.length < READ_BUFFER ? READ_BUFFER - kept.length : Infinity;
    const bytes = this.#takeBacklog(room);
    this.#scanned = kept.length;
    this.#start = 0;
    this.#buffer = kept.length === 0 ? bytes : Buffer.concat([kept, bytes]);
    return bytes.length > 0;
  }
}

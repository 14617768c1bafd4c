/**
 * One connection without its socket: it takes bytes and gives replies.
 *
 * It reads as memcached does, through a buffer of 16 KiB, and sends when it has used up what it read. A value
 * that has not arrived completely holds back the replies before it. After a few milliseconds it pauses, so
 * that other connections have a turn. It does not read while the client does not take its replies, and it
 * closes if it would have to keep too much.
 */
import { Buffer } from "node:buffer";
import { authenticate } from "./auth.ts";
import { type Block, copyBlock, MAX_TEXT_BLOCK } from "./block.ts";
import { runLine } from "./commands.ts";
import type { Item } from "./item.ts";
import { ReadBuffer } from "./read_buffer.ts";
import { Replies } from "./replies.ts";
import { bufferLimit, type ConnectionInfo, type ServerState } from "./state.ts";
import type { Turn } from "./turn.ts";

/** The socket, as a conversation sees it. */
export interface Wire {
  /** The addresses of the client's end and of this end, such as `tcp:127.0.0.1:51234`. */
  readonly peer: string;
  readonly local: string;
  /**
   * Sends pieces in order, at the latest when {@linkcode push} is called. If it returns false, the conversation
   * must write no more until {@linkcode Conversation.resume} is called.
   */
  write(pieces: readonly Uint8Array[]): boolean;
  /** Sends what was written. */
  push(): void;
  /** Stops reading, and calls back when other connections have had their turn. */
  rest(done: () => void): void;
  /** Closes the connection after everything that was written is sent. */
  end(): void;
  /** Closes the connection at once. */
  destroy(): void;
}

/** Only the line of a `get` of many keys may be longer than this many bytes. */
const MAX_UNFINISHED = 2048;

/** The longest line of such a `get`, in bytes. memcached has no limit. */
const MAX_LINE = 1024 * 1024;

/** After this many commands memcached sends its replies and turns to its other connections. */
const COMMANDS_A_TURN = 20;

/** The replies of a long command are sent whenever there are this many bytes of them. */
const SEND_AT = 64 * 1024;

interface Reading {
  readonly block: Buffer;
  filled: number;
  readonly done: (block: Block) => void;
}

/** One connection without its socket. */
export class Conversation implements Turn, ConnectionInfo {
  readonly state: ServerState;
  readonly replies: Replies = new Replies();
  readonly #wire: Wire;
  readonly #received = new ReadBuffer();
  #reading: Reading | undefined;
  #swallowing = 0;
  #task: (() => boolean) | undefined;
  #budget = 0;
  /** The items that written but unsent replies refer to, and how many bytes those replies hold besides. */
  #unsent: Item[] = [];
  #unsentBytes = 0;
  /** How many bytes of `state.buffered` are this connection's. */
  #noted = 0;
  #known: boolean;
  #running = false;
  #resting = false;
  #blocked = false;
  #ended = false;
  #closed = false;
  /** When the client last sent a command, in relative seconds. */
  lastCommand: number;

  constructor(state: ServerState, wire: Wire) {
    this.state = state;
    this.#wire = wire;
    this.#known = state.settings.users === undefined;
    this.lastCommand = state.timeline.now;
  }

  get peer(): string {
    return this.#wire.peer;
  }

  get local(): string {
    return this.#wire.local;
  }

  /** What the connection is doing, in memcached's words. */
  get condition(): string {
    if (this.#blocked) return "conn_mwrite";
    if (this.#reading !== undefined) return "conn_nread";
    if (this.#swallowing > 0) return "conn_swallow";
    return this.#running ? "conn_parse_cmd" : "conn_read";
  }

  /** Takes bytes from the socket. They are not copied, so they must not change. */
  receive(chunk: Uint8Array): void {
    if (this.#closed) return;
    this.state.counters.totals.bytes_read += chunk.length;
    this.#received.push(chunk);
    this.#budget = COMMANDS_A_TURN;
    this.#yield();
    this.#run();
  }

  /** Goes on, because the socket has taken what was written. */
  resume(): void {
    this.#blocked = false;
    this.#letGo();
    this.#yield();
    this.#run();
  }

  /** Notes that the client sends no more. It may still be reading replies. */
  end(): void {
    this.#ended = true;
    this.#run();
  }

  closeIfIdle(): void {
    const { timeline, settings, counters } = this.state;
    const idle = timeline.now - this.lastCommand > settings.idleTimeout;
    if (!idle || this.#closed || this.condition !== "conn_read") return;
    counters.totals.idle_kicks++;
    this.close();
  }

  /** Closes the connection. The client still gets what was written. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.drop();
    if (this.#reading !== undefined) this.#endReading(this.#reading);
    this.#wire.end();
  }

  /** Cleans up, because the socket is closed. */
  gone(): void {
    this.close();
    this.#letGo();
    this.#note(0);
  }

  readBlock(length: number, done: (block: Block) => void): void {
    if (this.#received.length >= length && length <= MAX_TEXT_BLOCK) {
      return done(copyBlock(this.#received.take(length)));
    }
    this.state.store.beginUpload(length);
    this.#reading = { block: Buffer.allocUnsafeSlow(length), filled: 0, done };
  }

  swallow(length: number): void {
    this.#swallowing = length;
  }

  work(step: () => boolean): void {
    this.#task = step;
  }

  hold(item: Item): void {
    this.state.store.hold(item);
    this.replies.use(item);
  }

  drop(): void {
    for (const item of this.replies.drop()) this.state.store.letGo(item);
  }

  flush(): void {
    const { pieces, bytes, copied, items } = this.replies.take();
    this.state.counters.totals.bytes_written += bytes;
    if (bytes > 0 && !this.#wire.write(pieces)) this.#blocked = true;
    if (!this.#blocked) {
      for (const item of items) this.state.store.letGo(item);
      return;
    }
    this.#unsent.push(...items);
    this.#unsentBytes += copied;
  }

  #letGo(): void {
    for (const item of this.#unsent) this.state.store.letGo(item);
    this.#unsent = [];
    this.#unsentBytes = 0;
  }

  #run(): void {
    if (this.#resting) return;
    this.#running = true;
    while (!this.#closed && !this.#blocked && !this.#resting && this.#step());
    this.#running = false;
    this.#wire.push();
    if (this.#ended && !this.#blocked && !this.#resting) this.close();
    this.#note(this.#received.memory + this.#unsentBytes);
  }

  /** Lets other connections have a turn if this one has taken long. */
  #yield(): void {
    if (this.#resting || this.state.schedule.hasTime()) return;
    this.#resting = true;
    this.state.counters.totals.conn_yields++;
    this.#wire.rest(() => {
      this.#resting = false;
      this.#run();
    });
  }

  /** Notes how much memory the connection needs, and closes it if all connections together need too much. */
  #note(bytes: number): void {
    if (bytes === this.#noted) return;
    this.state.buffered += bytes - this.#noted;
    this.#noted = bytes;
    if (this.#closed || this.state.buffered <= bufferLimit(this.state)) return;
    this.close();
    this.#wire.destroy();
  }

  /** Does the next thing that can be done. Returns false if more bytes are needed first. */
  #step(): boolean {
    if (this.#task !== undefined) return this.#work(this.#task);
    if (this.#reading !== undefined) return this.#fill(this.#reading);
    if (this.#swallowing > 0) {
      const bytes = this.#received.take(this.#swallowing);
      this.#swallowing -= bytes.length;
      if (this.#swallowing === 0) this.#commandDone();
      return bytes.length > 0;
    }
    return this.#command();
  }

  #work(task: () => boolean): boolean {
    if (task()) {
      this.#task = undefined;
      this.#commandDone();
    } else {
      if (this.replies.bytes >= SEND_AT) this.flush();
      this.#yield();
    }
    return true;
  }

  #command(): boolean {
    const line = this.#known || this.#received.length > 1 ? this.#received.line() : undefined;
    if (line === undefined) {
      if (this.#received.length > MAX_UNFINISHED && !this.#isLongGet()) {
        this.close();
        return false;
      }
      this.flush();
      return this.#received.refill();
    }
    this.lastCommand = this.state.timeline.now;
    this.replies.begin();
    const { users } = this.state.settings;
    if (this.#known || users === undefined) runLine(this, line);
    else authenticate(this, line, users, () => this.#known = true);
    if (this.#reading === undefined && this.#swallowing === 0 && this.#task === undefined) {
      this.#commandDone();
    }
    return true;
  }

  #isLongGet(): boolean {
    return this.#known && this.#received.length <= MAX_LINE &&
      /^ {0,100}gets? /.test(this.#received.peek(106));
  }

  #fill(reading: Reading): boolean {
    const bytes = this.#received.take(reading.block.length - reading.filled);
    reading.block.set(bytes, reading.filled);
    reading.filled += bytes.length;
    this.state.store.trim();
    if (reading.filled === reading.block.length) {
      this.#endReading(reading);
      const { block } = reading;
      reading.done(block.length <= MAX_TEXT_BLOCK ? copyBlock(block) : block);
      this.#commandDone();
    }
    return bytes.length > 0;
  }

  #endReading(reading: Reading): void {
    this.#reading = undefined;
    this.state.store.endUpload(reading.block.length);
  }

  #commandDone(): void {
    if (this.#closed) return;
    if (--this.#budget < 0) {
      this.flush();
      this.#budget = COMMANDS_A_TURN - 1;
    }
    this.#yield();
  }
}

/**
 * The bytes that one connection has received and not used yet. Lines are found in a window of 16 KiB, as in
 * memcached; only the line of a long `get` makes the window larger.
 *
 * However the bytes arrive, no byte is searched twice for the end of a line or copied more than twice, and the
 * bytes that are kept between reads take at most twice their length in memory.
 */
import { Buffer } from "node:buffer";

/** The size of the window in bytes. */
const WINDOW = 16 * 1024;

const LF = 0x0a;
const CR = 0x0d;
const EMPTY: Buffer = Buffer.alloc(0);

/** The bytes that one connection has received and not used yet. */
export class ReadBuffer {
  /** The window. The bytes before `#start` are used up, and there is no LF before `#scanned`. */
  #window = EMPTY;
  #start = 0;
  #scanned = 0;
  /** The buffer that the window is a part of, if it was copied. */
  #storage: Buffer | undefined;
  /** Chunks that were received, but are not in the window yet. */
  readonly #backlog: Buffer[] = [];
  #backlogBytes = 0;

  /** How many unused bytes are in the window. */
  get length(): number {
    return this.#window.length - this.#start;
  }

  /** How many bytes are unused in all. */
  get total(): number {
    return this.length + this.#backlogBytes;
  }

  /** How many bytes of memory are in use. */
  get memory(): number {
    return (this.#storage?.length ?? 0) + this.#backlogBytes;
  }

  /** Adds received bytes. They are not copied yet, so they must not change. */
  push(chunk: Uint8Array): void {
    this.#backlog.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
    this.#backlogBytes += chunk.length;
  }

  /** Takes the next line from the window, without its end and with one character per byte. */
  line(): string | undefined {
    const lf = this.#window.indexOf(LF, this.#scanned);
    if (lf < 0) {
      this.#scanned = this.#window.length;
      return undefined;
    }
    const end = lf > this.#start && this.#window[lf - 1] === CR ? lf - 1 : lf;
    const line = this.#window.toString("latin1", this.#start, end);
    this.#start = this.#scanned = lf + 1;
    return line;
  }

  /** Returns the first bytes of the window as text, one character per byte, and leaves them there. */
  peek(most: number): string {
    return this.#window.toString("latin1", this.#start, this.#start + most);
  }

  /** Takes at most `most` bytes, from the window or, if that is empty, straight from what was received. */
  take(most: number): Buffer {
    if (this.length === 0) return this.#takeBacklog(most);
    const bytes = this.#window.subarray(this.#start, this.#start + most);
    this.#start = this.#scanned = this.#start + bytes.length;
    return bytes;
  }

  /** Moves received bytes into the window. Returns false if there were none. */
  refill(): boolean {
    const kept = this.length;
    const bytes = this.#takeBacklog(kept < WINDOW ? WINDOW - kept : Infinity);
    if (kept > 0) {
      if (bytes.length > 0 || this.#storage === undefined) this.#append(kept, bytes);
    } else {
      this.#window = bytes;
      this.#start = this.#scanned = 0;
      this.#storage = undefined;
    }
    return bytes.length > 0;
  }

  /** Copies the unused bytes of the window and the new bytes into one buffer. */
  #append(kept: number, bytes: Buffer): void {
    const length = kept + bytes.length;
    let storage = this.#storage;
    if (storage === undefined || storage.length - this.#window.length < bytes.length) {
      storage = Buffer.allocUnsafeSlow(kept === length ? length : Math.max(256, 2 * length));
      storage.set(this.#window.subarray(this.#start));
      this.#scanned -= this.#start;
      this.#start = 0;
    }
    const from = storage === this.#storage ? this.#window.length : kept;
    storage.set(bytes, from);
    this.#storage = storage;
    this.#window = storage.subarray(0, from + bytes.length);
  }

  #takeBacklog(most: number): Buffer {
    const head = this.#backlog[0];
    if (head === undefined) return EMPTY;
    if (head.length <= most) this.#backlog.shift();
    else this.#backlog[0] = head.subarray(most);
    const bytes = head.subarray(0, most);
    this.#backlogBytes -= bytes.length;
    return bytes;
  }
}

/**
 * The bytes of one connection that were received and not used yet. Lines are looked for in a window of
 * 16 KiB, as in memcached; only the line of a long `get` outgrows it.
 *
 * No byte is looked at twice for the end of a line, or copied more than twice, however it comes, and
 * what is kept between reads takes no more memory than twice its length.
 */
import { Buffer } from "node:buffer";

/** Bytes that are looked at together. */
const WINDOW = 16 * 1024;

const LF = 0x0a;
const CR = 0x0d;
const EMPTY: Buffer = Buffer.alloc(0);

/** Received bytes. */
export class ReadBuffer {
  /** The window; what is before `#start` is used up, and up to `#scanned` there is no LF. */
  #window = EMPTY;
  #start = 0;
  #scanned = 0;
  /** What the window is a part of, if it was copied. */
  #storage: Buffer | undefined;
  /** Received, but not in the window yet. */
  readonly #backlog: Buffer[] = [];
  #backlogBytes = 0;

  /** Bytes in the window. */
  get length(): number {
    return this.#window.length - this.#start;
  }

  /** All bytes that wait. */
  get total(): number {
    return this.length + this.#backlogBytes;
  }

  /** Bytes of memory in use. */
  get memory(): number {
    return (this.#storage?.length ?? 0) + this.#backlogBytes;
  }

  /** Takes bytes, which are not copied yet and must not change. */
  push(chunk: Uint8Array): void {
    this.#backlog.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
    this.#backlogBytes += chunk.length;
  }

  /** The next line in the window, without its end and one character per byte. */
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

  /** The first bytes of the window as text, one character each. */
  peek(most: number): string {
    return this.#window.toString("latin1", this.#start, this.#start + most);
  }

  /** Takes out at most `most` bytes, from the window or straight from what was received. */
  take(most: number): Buffer {
    if (this.length === 0) return this.#takeBacklog(most);
    const bytes = this.#window.subarray(this.#start, this.#start + most);
    this.#start = this.#scanned = this.#start + bytes.length;
    return bytes;
  }

  /** Moves bytes into the window; false: there are none, and none in the window that are not used. */
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

  /** Puts what is kept of the window and some bytes into memory of their own. */
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

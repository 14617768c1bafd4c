/**
 * Where requests are written until the tick ends: text is gathered as a string and encoded in one
 * native call, values are copied in behind it, and the socket gets as few chunks as can be.
 */
import { byteLength } from "./text.ts";

const CAPACITY = 68 * 1024;

/** A value of this many bytes or more is handed to the socket as it is, not copied. */
export const UNCOPIED_BYTES: number = 64 * 1024;

// A string up to this length is joined to the text around it; a longer one is encoded by itself, since
// Node needs 588 ns to tell the byte length of 4 KiB.
const SHORT_STRING = 1024;
// Gathered text is encoded at this length at the latest, so that three bytes a character fit into the
// buffer.
const MAX_TEXT = 16 * 1024;

const encoder = new TextEncoder();
const CRLF = encoder.encode("\r\n");

/**
 * Collects the bytes of one write. With a `chunkLimit` each chunk holds whole commands, at most that many
 * bytes or one larger command alone: connection/socket.ts says why.
 */
export class WriteBuffer {
  readonly #chunkLimit: number;
  #buffer: Uint8Array = new Uint8Array(CAPACITY);
  /** The bytes before this belong to chunks that are complete. */
  #from = 0;
  #to = 0;
  #text = "";
  #chunks: Uint8Array[] = [];
  #chunkBytes = 0;

  constructor(chunkLimit: number = Infinity) {
    this.#chunkLimit = chunkLimit;
  }

  /** Bytes collected, at least (text counts as ASCII until it is encoded). */
  get size(): number {
    return this.#chunkBytes + this.#to - this.#from + this.#text.length;
  }

  /** Adds a command without a value. */
  text(text: string): void {
    if (this.#chunkLimit !== Infinity) return this.#whole(encoder.encode(text));
    this.#text += text;
    if (this.#text.length > MAX_TEXT) this.#encodeText();
  }

  /** Adds a command with a value: `head`, the value's length in bytes, `tail`, CRLF, the value and CRLF. */
  store(head: string, value: Uint8Array | string, tail: string): void {
    if (this.#chunkLimit !== Infinity) {
      const bytes = typeof value === "string" ? encoder.encode(value) : value;
      const line = encoder.encode(`${head}${bytes.byteLength}${tail}\r\n`);
      this.#whole(line, bytes, CRLF);
    } else if (typeof value !== "string") {
      this.#text += `${head}${value.byteLength}${tail}\r\n`;
      this.#bytes(value);
      this.#text = "\r\n";
    } else if (value.length <= SHORT_STRING) {
      this.#text += `${head}${byteLength(value)}${tail}\r\n${value}\r\n`;
      if (this.#text.length > MAX_TEXT) this.#encodeText();
    } else {
      this.#longString(head, value, tail);
    }
  }

  /** Hands over what was collected and empties the buffer. */
  take(): Uint8Array[] {
    this.#encodeText();
    this.#cut();
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#chunkBytes = 0;
    return chunks;
  }

  /**
   * Begins a new write. `reusable`: the socket has sent all of the last one. If it has not, those bytes
   * must stay as they are, and the new ones go behind them: a buffer for each write that waits would be
   * many times its bytes.
   */
  restart(reusable: boolean): void {
    if (reusable) this.#from = this.#to = 0;
  }

  /** Adds a command in one piece: in the chunk that is being written if it fits the limit, else in a new one. */
  #whole(...parts: readonly Uint8Array[]): void {
    const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
    if (this.#to - this.#from + bytes > this.#chunkLimit) this.#cut();
    this.#reserve(bytes);
    for (const part of parts) {
      this.#buffer.set(part, this.#to);
      this.#to += part.byteLength;
    }
  }

  #encodeText(): void {
    if (this.#text === "") return;
    this.#reserve(this.#text.length * 3);
    this.#to += encoder.encodeInto(this.#text, this.#buffer.subarray(this.#to)).written;
    this.#text = "";
  }

  #bytes(value: Uint8Array): void {
    this.#encodeText();
    if (value.byteLength >= UNCOPIED_BYTES) {
      this.#cut();
      this.#add(value);
      return;
    }
    this.#reserve(value.byteLength);
    this.#buffer.set(value, this.#to);
    this.#to += value.byteLength;
  }

  /** Guesses that a long string is ASCII, and encodes it by itself if it is not. */
  #longString(head: string, value: string, tail: string): void {
    const before = this.#text + head;
    if (value.length < UNCOPIED_BYTES) {
      const text = `${before}${value.length}${tail}\r\n`;
      this.#reserve(text.length * 3 + value.length);
      const start = this.#to + encoder.encodeInto(text, this.#buffer.subarray(this.#to)).written;
      const { read, written } = encoder.encodeInto(value, this.#buffer.subarray(start));
      if (read === value.length && written === read) {
        this.#to = start + written;
        this.#text = "\r\n";
        return;
      }
    }
    const bytes = encoder.encode(value);
    this.#text = `${before}${bytes.byteLength}${tail}\r\n`;
    this.#bytes(bytes);
    this.#text = "\r\n";
  }

  /** Makes sure that `bytes` more fit behind `#to`. */
  #reserve(bytes: number): void {
    if (this.#to + bytes <= this.#buffer.byteLength) return;
    this.#cut();
    this.#buffer = new Uint8Array(Math.max(CAPACITY, bytes));
    this.#from = this.#to = 0;
  }

  /** Ends the chunk that is being written. */
  #cut(): void {
    if (this.#to === this.#from) return;
    this.#add(this.#buffer.subarray(this.#from, this.#to));
    this.#from = this.#to;
  }

  #add(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#chunkBytes += chunk.byteLength;
  }
}

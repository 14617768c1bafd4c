/**
 * Where the requests of one batch are written: text is gathered as a string and encoded in one
 * native call, values are copied in behind it, and the socket gets as few chunks as can be.
 */
import { Buffer } from "node:buffer";
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

// The texts of small sizes are made once, as the ends of lines are: see meta.ts.
const sizeTexts: string[] = [];

function sizeText(bytes: number): string {
  return bytes <= SHORT_STRING ? sizeTexts[bytes] ??= ` ${bytes}` : ` ${bytes}`;
}

/**
 * Collects the bytes of one write. With a `chunkLimit` each chunk holds whole commands, at most that many
 * bytes or one larger command alone: connection/socket.ts says why.
 */
export class WriteBuffer {
  readonly #chunkLimit: number;
  // A Buffer, for Node wraps any other chunk in one.
  #buffer: Buffer = Buffer.allocUnsafeSlow(CAPACITY);
  /** The bytes before this belong to chunks that are complete. */
  #from = 0;
  #to = 0;
  #text = "";
  #chunks: Uint8Array[] = [];
  #chunkBytes = 0;
  /** Where in this write the bytes are that {@link store} was given last; both are 0 if they were not copied. */
  valueStart = 0;
  valueEnd = 0;

  constructor(chunkLimit: number = Infinity) {
    this.#chunkLimit = chunkLimit;
  }

  /** Bytes collected, at least (text counts as ASCII until it is encoded). */
  get size(): number {
    return this.#bytesSoFar + this.#text.length;
  }

  get #bytesSoFar(): number {
    return this.#chunkBytes + this.#to - this.#from;
  }

  /** Adds a command without a value. */
  text(text: string): void {
    if (this.#chunkLimit !== Infinity) return this.#whole(encoder.encode(text));
    this.#text += text;
    if (this.#text.length > MAX_TEXT) this.#encodeText();
  }

  /**
   * Adds a command with a value: `head`, a space, the value's length in bytes, `tail`, the value and CRLF. `tail`
   * ends the line with CRLF.
   */
  store(head: string, value: Uint8Array | string, tail: string): void {
    if (this.#chunkLimit !== Infinity) {
      const bytes = typeof value === "string" ? encoder.encode(value) : value;
      const line = encoder.encode(head + sizeText(bytes.byteLength) + tail);
      this.#whole(line, bytes, CRLF);
      this.valueEnd = this.#bytesSoFar - CRLF.byteLength;
      this.valueStart = this.valueEnd - bytes.byteLength;
    } else if (typeof value !== "string") {
      this.#text += head + sizeText(value.byteLength) + tail;
      this.#bytes(value);
      this.#text = "\r\n";
    } else if (value.length <= SHORT_STRING) {
      this.#text += head + sizeText(byteLength(value)) + tail + value + "\r\n";
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
    this.valueStart = this.valueEnd = 0;
    if (value.byteLength >= UNCOPIED_BYTES) {
      this.#cut();
      this.#add(value);
      return;
    }
    this.#reserve(value.byteLength);
    this.#buffer.set(value, this.#to);
    this.valueStart = this.#bytesSoFar;
    this.#to += value.byteLength;
    this.valueEnd = this.#bytesSoFar;
  }

  /** Guesses that a long string is ASCII, and encodes it by itself if it is not. */
  #longString(head: string, value: string, tail: string): void {
    const before = this.#text + head;
    if (value.length < UNCOPIED_BYTES) {
      const text = before + sizeText(value.length) + tail;
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
    this.#text = before + sizeText(bytes.byteLength) + tail;
    this.#bytes(bytes);
    this.#text = "\r\n";
  }

  /** Makes sure that `bytes` more fit behind `#to`. */
  #reserve(bytes: number): void {
    if (this.#to + bytes <= this.#buffer.byteLength) return;
    this.#cut();
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(CAPACITY, bytes));
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

/**
 * The unsent replies of one connection. memcached collects replies and sends them together when a read is
 * used up. This can be seen in some of its behaviour, so it is done here too.
 */
import { Buffer } from "node:buffer";
import type { Block } from "./block.ts";
import type { Item } from "./item.ts";

/** The replies that are sent together. */
export interface Batch {
  readonly pieces: readonly Uint8Array[];
  readonly bytes: number;
  /** How many of the bytes belong to no stored item. */
  readonly copied: number;
  /** Items that are in use until the pieces are sent. */
  readonly items: readonly Item[];
}

const NOTHING: readonly Item[] = [];

/** The unsent replies of one connection. */
export class Replies {
  #pieces: Uint8Array[] = [];
  /** The bytes of all pieces, and of those pieces that are stored values. */
  #pieceBytes = 0;
  #blockBytes = 0;
  #text = "";
  #commands = 0;
  #items: Item[] = [];
  /** Whether the present command wants no reply. */
  noreply = false;

  /** Begins a new command, which has not said `noreply` yet. */
  begin(): void {
    this.noreply = false;
    this.#commands++;
  }

  /** Whether commands before the present one are unanswered, even if their answer will be empty. */
  get behindOthers(): boolean {
    return this.#commands > 1;
  }

  /** How many bytes wait to be sent. */
  get bytes(): number {
    return this.#pieceBytes + this.#text.length;
  }

  /** Adds a line, unless the client wants no reply. */
  line(text: string): void {
    if (!this.noreply) this.text(text + "\r\n");
  }

  /** Adds text as it is, one character per byte. */
  text(text: string): void {
    this.#text += text;
  }

  /** Adds a value with its CRLF. If it is bytes, the caller must also {@linkcode use} their item. */
  block(block: Block): void {
    if (typeof block === "string") return this.text(block);
    this.#endText();
    this.#pieces.push(block);
    this.#pieceBytes += block.length;
    this.#blockBytes += block.length;
  }

  /** Notes an item that is in use until its reply is sent. */
  use(item: Item): void {
    this.#items.push(item);
  }

  /** Takes all replies, to be sent. */
  take(): Batch {
    this.#endText();
    const bytes = this.#pieceBytes;
    const copied = bytes - this.#blockBytes;
    const pieces = this.#pieces;
    return { pieces, bytes, copied, items: this.drop() };
  }

  /** Forgets all replies, and returns the items that were in use. */
  drop(): readonly Item[] {
    const items = this.#items;
    if (items.length > 0) this.#items = [];
    this.#pieces = [];
    this.#pieceBytes = this.#blockBytes = 0;
    this.#text = "";
    this.#commands = 0;
    return items.length > 0 ? items : NOTHING;
  }

  #endText(): void {
    if (this.#text === "") return;
    const piece = Buffer.from(this.#text, "latin1");
    this.#pieces.push(piece);
    this.#pieceBytes += piece.length;
    this.#text = "";
  }
}

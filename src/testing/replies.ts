/**
 * The replies of one connection that were not sent yet. memcached collects them and sends them
 * together when a read is used up; a few of its habits show that it does.
 */
import { Buffer } from "node:buffer";
import type { Block } from "./block.ts";
import type { Item } from "./item.ts";

/** What is to be sent at once. */
export interface Batch {
  readonly pieces: readonly Uint8Array[];
  readonly bytes: number;
  /** Those of the bytes that are nowhere else. */
  readonly copied: number;
  /** Items that are in use until the pieces are sent. */
  readonly items: readonly Item[];
}

const NOTHING: readonly Item[] = [];

/** The replies of one connection that were not sent yet. */
export class Replies {
  #pieces: Uint8Array[] = [];
  /** Bytes of the pieces, and those of them that are values of their own. */
  #pieceBytes = 0;
  #blockBytes = 0;
  #text = "";
  #commands = 0;
  #items: Item[] = [];
  /** The present command asked for silence. */
  noreply = false;

  /** A new command starts, which may say `noreply`. */
  begin(): void {
    this.noreply = false;
    this.#commands++;
  }

  /** Whether commands before the present one wait to be answered, were it with nothing. */
  get behindOthers(): boolean {
    return this.#commands > 1;
  }

  /** Bytes that wait. */
  get bytes(): number {
    return this.#pieceBytes + this.#text.length;
  }

  /** A line, unless the client wants none. */
  line(text: string): void {
    if (!this.noreply) this.text(text + "\r\n");
  }

  /** Text as it stands, one character per byte. */
  text(text: string): void {
    this.#text += text;
  }

  /** A value with its CRLF. Whoever adds bytes must also {@linkcode use} their item. */
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

  /** Takes what there is, to be sent. */
  take(): Batch {
    this.#endText();
    const bytes = this.#pieceBytes;
    const copied = bytes - this.#blockBytes;
    const pieces = this.#pieces;
    return { pieces, bytes, copied, items: this.drop() };
  }

  /** Forgets what there is; returns the items that were in use. */
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

/**
 * The replies of one connection that were not sent yet. memcached collects them and sends them
 * together when a read is used up; a few of its habits show that it does.
 */
import { Buffer } from "node:buffer";
import type { Item } from "./item.ts";

/** The replies of one connection that were not sent yet. */
export class Replies {
  #pieces: Uint8Array[] = [];
  #text = "";
  #commands = 0;
  #held: Item[] = [];
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

  /** A line, unless the client wants none. */
  line(text: string): void {
    if (!this.noreply) this.text(text + "\r\n");
  }

  /** Text as it stands, one character per byte. */
  text(text: string): void {
    this.#text += text;
  }

  /** A value with its CRLF. */
  block(block: Uint8Array): void {
    this.#endText();
    this.#pieces.push(block);
  }

  /** Keeps an item from being changed in its place until its reply is sent. */
  hold(item: Item): void {
    item.held++;
    this.#held.push(item);
  }

  /** Takes what there is, to be sent. */
  take(): Uint8Array[] {
    this.#endText();
    const pieces = this.#pieces;
    this.drop();
    return pieces;
  }

  /** Forgets what there is. */
  drop(): void {
    for (const item of this.#held) item.held--;
    this.#held = [];
    this.#pieces = [];
    this.#text = "";
    this.#commands = 0;
  }

  #endText(): void {
    if (this.#text === "") return;
    this.#pieces.push(Buffer.from(this.#text, "latin1"));
    this.#text = "";
  }
}

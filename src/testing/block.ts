/**
 * A value and the CRLF behind it, as it is stored: short ones as text, one character per byte, which
 * takes half the memory of an array of bytes; long ones as bytes, which replies point at.
 */
import { Buffer } from "node:buffer";

/** A value and the CRLF behind it; never written to once stored. */
export type Block = string | Uint8Array;

/** Up to this many bytes a block is text. */
export const MAX_TEXT_BLOCK = 4096;

/** A block with these bytes, which may change later. */
export function copyBlock(bytes: Buffer): Block {
  return bytes.length <= MAX_TEXT_BLOCK ? bytes.toString("latin1") : new Uint8Array(bytes);
}

/** Whether a block that was read ends where the client said that it would. */
export function endsLine(block: Block): boolean {
  if (typeof block === "string") return block.endsWith("\r\n");
  return block.at(-2) === 0x0d && block.at(-1) === 0x0a;
}

/** Two values, each with its CRLF, as one. */
export function joinBlocks(first: Block, second: Block): Block {
  const joined = Buffer.allocUnsafeSlow(first.length - 2 + second.length);
  write(joined, first, 0);
  write(joined, second, first.length - 2);
  return joined.length <= MAX_TEXT_BLOCK ? joined.toString("latin1") : joined;
}

/** A block as text, one character per byte. */
export function textOf(block: Block): string {
  if (typeof block === "string") return block;
  return Buffer.from(block.buffer, block.byteOffset, block.length).toString("latin1");
}

function write(target: Buffer, block: Block, offset: number): void {
  if (typeof block === "string") target.write(block, offset, "latin1");
  else target.set(block, offset);
}

/** Where {@linkcode ownText} makes its copies. */
const scratch = Buffer.allocUnsafeSlow(256);

/**
 * The same text in memory of its own. What is cut from a line keeps the whole line alive, so that is
 * not what may be kept: a key, for example.
 */
export function ownText(text: string): string {
  if (text.length > scratch.length) return Buffer.from(text, "latin1").toString("latin1");
  return scratch.toString("latin1", 0, scratch.write(text, 0, "latin1"));
}

/**
 * A stored value with the CRLF after it. A short one is stored as text, one character per byte, which takes
 * half the memory of an array of bytes. A long one is stored as bytes, which replies refer to without a copy.
 */
import { Buffer } from "node:buffer";

/** A value and the CRLF after it. It never changes once it is stored. */
export type Block = string | Uint8Array;

/** A block of at most this many bytes is stored as text. */
export const MAX_TEXT_BLOCK = 4096;

/** Makes a block of a copy of these bytes. */
export function copyBlock(bytes: Buffer): Block {
  return bytes.length <= MAX_TEXT_BLOCK ? bytes.toString("latin1") : new Uint8Array(bytes);
}

/** Whether a block ends with CRLF, so that the client gave its length correctly. */
export function endsLine(block: Block): boolean {
  if (typeof block === "string") return block.endsWith("\r\n");
  return block.at(-2) === 0x0d && block.at(-1) === 0x0a;
}

/** Joins two values, each with its CRLF, into one. */
export function joinBlocks(first: Block, second: Block): Block {
  const joined = Buffer.allocUnsafeSlow(first.length - 2 + second.length);
  write(joined, first, 0);
  write(joined, second, first.length - 2);
  return joined.length <= MAX_TEXT_BLOCK ? joined.toString("latin1") : joined;
}

/** Returns a block as text, one character per byte. */
export function textOf(block: Block): string {
  if (typeof block === "string") return block;
  return Buffer.from(block.buffer, block.byteOffset, block.length).toString("latin1");
}

function write(target: Buffer, block: Block, offset: number): void {
  if (typeof block === "string") target.write(block, offset, "latin1");
  else target.set(block, offset);
}

/** The buffer through which {@linkcode ownText} copies. */
const scratch = Buffer.allocUnsafeSlow(256);

/**
 * Returns the same text in memory of its own. Text that is cut from a line keeps the whole line alive, so
 * whatever is kept, such as a key, must be a copy.
 */
export function ownText(text: string): string {
  if (text.length > scratch.length) return Buffer.from(text, "latin1").toString("latin1");
  return scratch.toString("latin1", 0, scratch.write(text, 0, "latin1"));
}

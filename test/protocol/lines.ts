/** The rules that hold for every line of a reply in both dialects, and how they are checked. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { GARBAGE, INCOMPLETE, Reply, type ReplyKind } from "../../src/protocol/reply.ts";

/** The line parser of either dialect. */
export type Parse = (bytes: Buffer, at: number, end: number, reply: Reply) => number;

/** What a line means. */
export interface Read {
  readonly kind: ReplyKind;
  readonly size?: number;
  readonly flags?: number;
  readonly cas?: number | string;
  readonly ttl?: number;
  readonly itemSize?: number;
  readonly won?: boolean;
  readonly leased?: boolean;
  readonly opaque?: number;
  readonly text?: string;
  /** Classic: between keyFrom and keyTo. */
  readonly key?: string;
  /** Classic: a number's digits. */
  readonly bytes?: string;
}

// The bytes before the line, as after other replies; and the old bytes of the buffer, which it overwrites.
const BEFORE = "END\r\n";

/**
 * Makes a buffer in which `length` bytes of the line have been received. After the line feed that ends every
 * scan comes the rest of the line, which a parser that reads too far would take for received.
 */
function received(line: string, length: number): { bytes: Buffer; end: number } {
  const bytes = Buffer.from(`${BEFORE}${line}${line}`, "latin1");
  const end = BEFORE.length + length;
  bytes[end] = 0x0a;
  return { bytes, end };
}

/** Asserts that the line is INCOMPLETE up to its last byte, and then means `read`. */
export function checkEveryPrefix(parse: Parse, line: string, read: Read): void {
  const reply = new Reply();
  for (let length = 0; length < line.length; length++) {
    const { bytes, end } = received(line, length);
    const at = parse(bytes, BEFORE.length, end, reply);
    assert.equal(at, INCOMPLETE, `${JSON.stringify(line)}, ${length} bytes of it`);
  }
  const { bytes, end } = received(line, line.length);
  const what = JSON.stringify(line);
  assert.equal(parse(bytes, BEFORE.length, end, reply), end, what);
  const { kind, size, flags, cas, ttl, itemSize, won, leased, opaque, text } = reply;
  const none = { size: -1, flags: -1, cas: 0, ttl: -2, itemSize: -1, won: false, leased: false };
  const { key, bytes: digits, ...fields } = read;
  assert.deepEqual(
    { kind, size, flags, cas, ttl, itemSize, won, leased, opaque, text },
    { ...none, opaque: -1, text: "", ...fields },
    what,
  );
  if (key !== undefined) {
    assert.equal(bytes.toString("latin1", reply.keyFrom, reply.keyTo), key, what);
  }
  if (digits !== undefined) {
    assert.equal(reply.bytes.toString("latin1", reply.from, reply.to), digits, what);
  }
}

/** Asserts that the line is GARBAGE at the latest when it is complete, and stays so once it is. */
export function checkGarbage(parse: Parse, line: string): void {
  const reply = new Reply();
  let garbage = false;
  for (let length = 0; length <= line.length; length++) {
    const { bytes, end } = received(line, length);
    const at = parse(bytes, BEFORE.length, end, reply);
    const what = `${JSON.stringify(line)}, ${length} bytes of it`;
    if (garbage) assert.equal(at, GARBAGE, what);
    else assert.ok(at === GARBAGE || at === INCOMPLETE, what);
    garbage = at === GARBAGE;
  }
  // The parser may wait for the end of a line; the reader's MAX_LINE bounds that.
  assert.ok(garbage || !line.endsWith("\n"), JSON.stringify(line));
}

// Text comes out as it was stored, whatever came with it and however the replies were cut: values that came with
// ASCII alone are read as ASCII.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, test } from "node:test";
import { MemwireCodec } from "../../src/client/values/memwire.ts";
import { ReplyReader, type ReplySink } from "../../src/connection/reply_reader.ts";
import { CorruptValueError } from "../../src/errors.ts";
import { Verdict } from "../../src/protocol/dialect.ts";
import { ReadBuffer } from "../../src/protocol/read_buffer.ts";
import { decodeAscii, decodeUtf8, isAscii } from "../../src/protocol/text.ts";
import { type Asked, everyCut, newDialect, pour, waitingFor } from "./feeding.ts";

const codec = new MemwireCodec({ compressAbove: undefined, maxValueBytes: Infinity });

/** Reads the values of a stream of meta replies; a value that is not UTF-8 is undefined. */
function read(pieces: readonly Uint8Array[], count: number): { texts: unknown[]; ascii: number } {
  const dialect = newDialect("meta");
  const asked: Asked[] = Array.from({ length: count }, () => ({ operation: "get", key: "k" }));
  const requests = waitingFor(asked, dialect);
  const buffer = new ReadBuffer();
  const reader = new ReplyReader(buffer);
  const texts: unknown[] = [];
  let ascii = 0;
  const sink: ReplySink = {
    oldest: () => requests[texts.length],
    accept: (request, reply) => dialect.accept(request, reply),
    wants: () => true,
    replied: (_, reply, verdict) => {
      assert.equal(verdict, Verdict.last);
      if (reply.ascii) ascii++;
      try {
        texts.push(codec.decode(reply));
      } catch (error) {
        assert.ok(error instanceof CorruptValueError);
        texts.push(undefined);
      }
    },
  };
  assert.equal(pour(pieces, buffer, () => reader.read(dialect, sink)), true);
  return { texts, ascii };
}

function stream(values: readonly Uint8Array[]): Buffer {
  return Buffer.concat(values.flatMap((value, i) => [
    Buffer.from(`VA ${value.length} f16 O${i}\r\n`),
    value,
    Buffer.from("\r\n"),
  ]));
}

const NOT_UTF8 = Uint8Array.of(0x61, 0xff, 0x62);
const TEXTS = ["plain", "grün", "", "plain again", "\ufeff", "€ 1,50", "\ufffd", "😀", "end\x7f\0"];

describe("text that came with", () => {
  const values = [...TEXTS.map((text) => Buffer.from(text)), NOT_UTF8, Buffer.from("last")];
  const expected = [...TEXTS, undefined, "last"];

  test("other text, ASCII or not, is read as it was stored, however it is cut", () => {
    for (const pieces of everyCut(stream(values))) {
      assert.deepEqual(read(pieces, values.length).texts, expected);
    }
  });

  test("ASCII alone is known to be ASCII, and with one other byte is not", () => {
    const plain = ["a", "b".repeat(100), "c"].map((text) => Buffer.from(text));
    assert.equal(read([stream(plain)], 3).ascii, 3);
    assert.equal(read([stream([...plain, Buffer.from("é")])], 4).ascii, 0);
    // The last byte that came.
    const bytes = stream([Buffer.from("x"), Buffer.from("yé")]);
    const cut = bytes.length - "\xa9\r\n".length;
    const { texts, ascii } = read([bytes.subarray(0, cut), bytes.subarray(cut)], 2);
    assert.deepEqual(texts, ["x", "yé"]);
    assert.equal(ascii, 0); // the first half of é came with x
  });

  test("a large value of its own buffer is not taken for ASCII", () => {
    for (const large of ["x".repeat(20_000), "é".repeat(10_000), "x".repeat(19_999) + "é"]) {
      const bytes = stream([Buffer.from("a"), Buffer.from(large), Buffer.from("b")]);
      for (const cut of [bytes.length, 30, 5_000, 19_999]) {
        const pieces = [bytes.subarray(0, cut), bytes.subarray(cut)];
        assert.deepEqual(read(pieces, 3).texts, ["a", large, "b"]);
      }
    }
  });
});

test("text of every length is read by both ways alike", () => {
  for (const length of [0, 1, 511, 512, 513, 4096, 70_000]) {
    const ascii = Buffer.from(`<${"a".repeat(length)}>`);
    assert.equal(isAscii(ascii, 0, ascii.length), true);
    assert.equal(decodeAscii(ascii, 1, length + 1), "a".repeat(length));
    assert.equal(decodeUtf8(ascii, 1, length + 1), "a".repeat(length));
    for (const at of new Set([0, length >> 1, length])) {
      const text = "a".repeat(at) + "é" + "a".repeat(length - at);
      const bytes = Buffer.from(`<${text}>`);
      assert.equal(isAscii(bytes, 1, bytes.length - 1), false);
      assert.equal(decodeUtf8(bytes, 1, bytes.length - 1), text);
    }
  }
});

/** Plays the same bytes in different pieces, without a socket. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import { ManualClock } from "../../src/testing/clock.ts";
import { converse, socketless, type Talk } from "./socketless.ts";

const CLOCK = new ManualClock(1_800_000_000);

/** Commands of each kind, whose replies do not depend on when something was sent. */
const REQUEST = [
  "set a 5 100 14|ab|cd|ef|gh",
  "get a b|gets a",
  "set c 0 0 1 noreply|9|incr c 1|decr c 12|incr c 1 noreply",
  "set d 0 0 3|abcde|bogus|",
  "ms e 3 F1 T0 c k Oq1|xyz|mg e v f t k|mg e v|ms e 3 MA q|123|mg e s",
  "md e I|mg e v|md e q|mn|ma n N0 J5 v|me n",
  "touch a 50|gat 60 a|delete a|delete a noreply|flush_all|version",
  "mg Zm9v b k v|verbosity 1|cas a 0 0 1 99|x|",
].join("|").replaceAll("|", "\r\n");

interface Played {
  readonly replies: string;
  readonly closed: boolean;
}

function feed(chunks: readonly string[]): Played {
  const { conversation, take, isClosed } = converse(socketless(CLOCK));
  for (const chunk of chunks) conversation.receive(Buffer.from(chunk, "latin1"));
  return { replies: take(), closed: isClosed() };
}

describe("a conversation", () => {
  const whole = feed([REQUEST]);

  it("is answered completely", () => {
    assert.equal(whole.closed, false);
    assert.match(whole.replies, /^STORED\r\nVALUE a 5 14\r\nab\r\ncd\r\n/);
    assert.match(whole.replies, /\r\nNOT_FOUND\r\n$/);
    assert.equal(whole.replies.split("\r\n").length, 46);
  });

  it("gets the same answer in two pieces, wherever it is cut", () => {
    for (let at = 1; at < REQUEST.length; at++) {
      assert.deepEqual(feed([REQUEST.slice(0, at), REQUEST.slice(at)]), whole, `cut at ${at}`);
    }
  });

  it("gets the same answer byte by byte", () => {
    assert.deepEqual(feed([...REQUEST]), whole);
  });
});

describe("replies", () => {
  it("wait for a value that has not arrived completely", () => {
    assert.equal(feed(["version\r\nset a 0 0 3\r\nab"]).replies, "");
    assert.equal(
      feed(["version\r\nset a 0 0 3\r\nab", "c\r\n"]).replies,
      "VERSION 1.6.18\r\nSTORED\r\n",
    );
  });

  it("wait until a refused value has been skipped, even in many pieces", () => {
    const size = 2_000_000;
    const line = `set a 0 0 ${size}\r\n`;
    const pieces = Array.from({ length: 20 }, () => "x".repeat(size / 20));
    assert.equal(feed(["version\r\n" + line, ...pieces]).replies, "");
    assert.equal(
      feed(["version\r\n" + line, ...pieces, "\r\nmn\r\n"]).replies,
      "VERSION 1.6.18\r\nSERVER_ERROR object too large for cache\r\nMN\r\n",
    );
  });

  it("do not wait for the rest of a line", () => {
    assert.equal(feed(["version\r\nget"]).replies, "VERSION 1.6.18\r\n");
  });
});

it("quit ends the conversation, whatever follows it", () => {
  const quit = { replies: "VERSION 1.6.18\r\n", closed: true };
  assert.deepEqual(feed(["version\r\nquit\r\nversion\r\n"]), quit);
  assert.deepEqual(feed(["version\r\nquit\r\n", "version\r\n"]), quit);
});

describe("an item that a reply points at", () => {
  it("is not changed in its place until the reply is sent", () => {
    const state = socketless(CLOCK);
    const [reader, writer] = [converse(state), converse(state)];
    const tell = ({ conversation, take }: Talk, text: string): string => {
      conversation.receive(Buffer.from(text));
      return take();
    };
    tell(writer, "set a 0 0 2\r\n10\r\n");
    assert.equal(tell(reader, "mg a v\r\nset b 0 0 1\r\n"), "");
    assert.equal(tell(writer, "decr a 1\r\nmg a v\r\n"), "9\r\nVA 1\r\n9\r\n", "no space after it");
    assert.equal(tell(reader, "x\r\n"), "VA 2\r\n10\r\nSTORED\r\n");
    tell(writer, "set a 0 0 2\r\n10\r\n");
    assert.equal(tell(writer, "decr a 1\r\nmg a v\r\n"), "9\r\nVA 2\r\n9 \r\n");
  });
});

describe("a line without an end", () => {
  it("closes the connection beyond 2048 bytes, however they arrive", () => {
    assert.equal(feed(["x".repeat(2048)]).closed, false);
    assert.equal(feed(["x".repeat(2049)]).closed, true);
    assert.equal(feed([..."x".repeat(2049)]).closed, true);
    assert.equal(feed(["x".repeat(1025), "x".repeat(1024)]).closed, true);
    const commands = "mn\r\n".repeat(3596); // leaves 2000 bytes of the read buffer
    assert.equal(feed([`${commands}${"x".repeat(16_383)}\n`]).closed, false);
    assert.equal(feed([`${commands}${"x".repeat(16_384)}\n`]).closed, true);
    assert.equal(
      feed(["x".repeat(16_384) + "\r\n"]).closed,
      true,
      "it does not fit the read buffer",
    );
  });

  it("may go on if it asks for keys", () => {
    const keys = "abc ".repeat(20_000);
    assert.equal(feed([`get ${keys}`]).closed, false);
    assert.deepEqual(feed(["get ", ...keys.match(/.{1,1000}/g)!, "\r\n"]), {
      replies: "END\r\n",
      closed: false,
    });
  });
});

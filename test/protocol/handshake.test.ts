// The conversation before the first command, tested with text and replies, without a socket.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Handshake, type HandshakeOptions, type Step } from "../../src/connection/handshake.ts";
import { AuthError, type MemcachedError, ProtocolError, ServerError } from "../../src/errors.ts";
import { parseClassicLine } from "../../src/protocol/classic_reply.ts";
import { Reply } from "../../src/protocol/reply.ts";
import { latin1 } from "./feeding.ts";

const AUTH = { username: "user", password: "pässword" };

/** A handshake, and the parser of a line that answers it. */
class Conversation {
  readonly handshake: Handshake;
  readonly start: string;

  constructor(options: Partial<HandshakeOptions> = {}) {
    this.handshake = new Handshake({
      auth: undefined,
      protocol: "auto",
      known: undefined,
      ...options,
    });
    const step = this.handshake.start();
    assert.ok("send" in step);
    this.start = step.send;
  }

  answer(line: string): Step {
    const bytes = latin1(`${line}\r\n\n`);
    const reply = new Reply();
    assert.equal(parseClassicLine(bytes, 0, bytes.length - 1, reply), bytes.length - 1, line);
    return this.handshake.next(reply);
  }

  failure(line: string): MemcachedError {
    const step = this.answer(line);
    assert.ok("failed" in step, line);
    return step.failed;
  }
}

describe("the handshake", () => {
  test("asks for the version, then for meta, and believes the answer", () => {
    for (
      const [answer, dialect] of [
        ["MN", "meta"],
        ["ERROR", "classic"],
        ["CLIENT_ERROR bad command", "classic"],
        ["SERVER_ERROR no", "classic"],
      ] as const
    ) {
      const talk = new Conversation();
      assert.equal(talk.start, "version\r\n");
      assert.equal(talk.handshake.askedForMeta, false);
      assert.deepEqual(talk.answer("VERSION 1.6.18"), { send: "mn\r\n" });
      assert.equal(talk.handshake.version, "1.6.18");
      assert.equal(talk.handshake.askedForMeta, true);
      assert.deepEqual(talk.answer(answer), { ready: dialect });
    }
  });

  test("asks no server older than 1.6.18 for meta, and none without a version", () => {
    for (const version of ["1.4.39", "1.5.22", "1.6.9", "1.6.17", "0.9", "unknown", "1.6"]) {
      const talk = new Conversation();
      assert.deepEqual(talk.answer(`VERSION ${version}`), { ready: "classic" }, version);
    }
    for (const version of ["1.6.18", "1.6.18_beta", "1.6.45", "1.7.0", "2.0.0", "1.10.1"]) {
      const talk = new Conversation();
      assert.deepEqual(talk.answer(`VERSION ${version}`), { send: "mn\r\n" }, version);
    }
  });

  test("asks for the version only, if the dialect is given or known", () => {
    for (const dialect of ["meta", "classic"] as const) {
      const told = new Conversation({ protocol: dialect });
      assert.deepEqual(told.answer("VERSION 1.4.0"), { ready: dialect });
      const known = new Conversation({ known: dialect });
      assert.deepEqual(known.answer("VERSION 1.6.18"), { ready: dialect });
    }
    const older = new Conversation({ known: "meta" });
    assert.deepEqual(older.answer("VERSION 1.6.17"), { ready: "classic" });
  });

  test("recognizes a proxy by a version that it does not live up to, or by the lack of one", () => {
    const told = new Conversation();
    told.answer("VERSION 1.6.18");
    told.answer("ERROR");
    assert.equal(told.handshake.proxied, true);
    const remembered = new Conversation({ known: "classic" });
    remembered.answer("VERSION 1.6.18");
    assert.equal(remembered.handshake.proxied, true);
    // A server behind it is down, which says nothing about the others.
    for (
      const [options, dialect] of [
        [{}, "classic"],
        [{ known: "classic" }, "classic"],
        [{ known: "meta" }, "meta"],
        [{ protocol: "meta" }, "meta"],
      ] as const
    ) {
      const talk = new Conversation(options);
      assert.deepEqual(talk.answer("SERVER_ERROR Connection refused"), { ready: dialect });
      assert.deepEqual([talk.handshake.version, talk.handshake.proxied], ["", true]);
    }
    for (
      const [options, ...answers] of [
        [{}, "VERSION 1.6.18", "MN"],
        [{}, "VERSION 1.5.22"],
        [{ known: "meta" }, "VERSION 1.6.18"],
        [{ protocol: "classic" }, "VERSION 1.6.18"],
      ] as const
    ) {
      const talk = new Conversation(options);
      for (const answer of answers) talk.answer(answer);
      assert.equal(talk.handshake.proxied, false);
    }
  });

  test("sends the credentials first and alone, under a key that nobody uses", () => {
    const talk = new Conversation({ auth: AUTH });
    assert.match(talk.start, /^set memwire:auth:[0-9a-f-]{36} 0 2592001 14\r\nuser pässword\r\n$/);
    assert.notEqual(new Conversation({ auth: AUTH }).start, talk.start);
    assert.deepEqual(talk.answer("STORED"), { send: "version\r\n" });
    assert.deepEqual(talk.answer("VERSION 1.6.18"), { send: "mn\r\n" });
  });

  test("fails with AuthError where credentials are wrong or missing", () => {
    const wrong = new Conversation({ auth: AUTH }).failure("CLIENT_ERROR authentication failure");
    const missing = new Conversation().failure("CLIENT_ERROR unauthenticated");
    for (const error of [wrong, missing]) {
      assert.ok(error instanceof AuthError);
      assert.ok(!error.message.includes(AUTH.password));
    }
  });

  test("fails if it is refused", () => {
    const full = new Conversation().failure("ERROR Too many open connections");
    assert.ok(full instanceof ServerError);
    assert.match(full.message, /Too many open connections/);
    assert.ok(new Conversation({ auth: AUTH }).failure("SERVER_ERROR no") instanceof ServerError);
  });

  test("fails for an answer to another question", () => {
    for (const line of ["STORED", "END", "MN", "12"]) {
      assert.ok(new Conversation().failure(line) instanceof ProtocolError, line);
    }
    for (const line of ["NOT_STORED", "VERSION 1.6.18"]) {
      assert.ok(new Conversation({ auth: AUTH }).failure(line) instanceof ProtocolError, line);
    }
    for (const line of ["STORED", "VERSION 1.6.18"]) {
      const talk = new Conversation();
      talk.answer("VERSION 1.6.18");
      assert.ok(talk.failure(line) instanceof ProtocolError, line);
    }
  });
});

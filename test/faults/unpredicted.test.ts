/** Unexpected replies: the call that they seem to answer is refused, and so are all calls after it. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, test } from "node:test";
import { ConnectionLostError, type MemcachedError, ProtocolError } from "../../mod.ts";
import { hit, status } from "../support/replies.ts";
import type { Command } from "../support/scripted_server.ts";
import { answer, type Dialect, DIALECTS, outcome, rig } from "./rig.ts";

type Reply = (command: Command) => string | Uint8Array;

/** Unexpected replies to `get a`, in both dialects. */
const TO_GET: Readonly<Record<string, Reply>> = {
  "the key of another call": (get) =>
    hit({ ...get, key: "other", opaque: "999", args: withOpaque(get, "999") }, "theirs"),
  "an answer to a set": (get) => status(get, "NS", "STORED"),
  "an answer to a delete": (get) => status(get, "NF", "DELETED"),
  "an answer to a touch": (get) => status(get, "EX", "TOUCHED"),
  "a number": () => "17\r\n",
  "a version": () => "VERSION 1.6.18\r\n",
  "MN": () => "MN\r\n",
  "an empty line": () => "\r\n",
  "an empty line, LF alone": () => "\n",
  "words": () => "HTTP/1.1 400 Bad Request\r\n",
  "words without an end": () => "HTTP/1.1 400 Bad Request",
  "a word that begins like a legal one": () => "ENDED\r\n",
  "a legal word in small letters": () => "end\r\n",
  "zero bytes": () => Buffer.alloc(8),
  "bytes of the binary protocol": () => Buffer.from("81000000000000010000000000000000", "hex"),
  "a TLS alert": () => Buffer.from([21, 3, 3, 0, 2, 2, 70]),
  "random bytes of a line's length": () => Buffer.from("fe13809a00ffeeddccbbaa99".repeat(8), "hex"),
  "a line longer than any": () => "x".repeat(5_000),
  "an error line without an end": () => `SERVER_ERROR ${"x".repeat(5_000)}`,
  "a right line that ends in LF alone": (get) =>
    status(get, "EN", "END").toString().replace("\r", ""),
  "a right line that ends in CR CR LF": (get) =>
    status(get, "EN", "END").toString().replace("\r", "\r\r"),
  "a value without CRLF after it": (get) =>
    hit(get, "hello").toString().replace("hello\r\n", "hello##"),
  "a value with LF alone after it": (get) =>
    hit(get, "hello").toString().replace("hello\r\n", "hello\n"),
  "a value that is longer than it says": (get) =>
    hit(get, "hello").toString().replace("hello\r\n", "hello, world\r\n"),
  "a large value without CRLF after it": (get) =>
    hit(get, "h".repeat(40_000)).toString().replace("h\r\n", "h##"),
  "a large value that is longer than it says": (get) =>
    hit(get, "h".repeat(40_000)).toString().replace("h\r\n", "hhh\r\n"),
  "a length that is not a number": (get) => hit(get, "hello").toString().replace(" 5", " five"),
  "a negative length": (get) => hit(get, "hello").toString().replace(" 5", " -5"),
  "a length beyond all values": (get) => hit(get, "hello").toString().replace(" 5", " 99999999999"),
  "a length of 400 digits": (get) =>
    hit(get, "hello").toString().replace(" 5", ` ${"9".repeat(400)}`),
  "flags that are not a number": (get) => hit(get, "hello").toString().replace(/f?16/, "fx"),
  "the same reply twice": (get) => Buffer.concat([answer(get), answer(get)]),
};

const ONLY: Readonly<Record<Dialect, Readonly<Record<string, Reply>>>> = {
  meta: {
    "another opaque": (get) => hit({ ...get, args: withOpaque(get, "77777") }, "theirs"),
    "no opaque": (get) => hit({ ...get, args: ["a", "v", "f"] }, "theirs"),
    "an empty opaque": (get) => hit({ ...get, args: withOpaque(get, "") }, "theirs"),
    "a miss with another opaque": () => "EN O31\r\n",
    "a miss without an opaque": () => "EN\r\n",
    "HD instead of a value": (get) => `HD O${get.opaque}\r\n`,
    "no flags, although they were asked for": (get) => `VA 5 O${get.opaque}\r\nhello\r\n`,
    "a flag that was not asked for": (get) => `VA 5 f16 Q1 O${get.opaque}\r\nhello\r\n`,
    "the classic dialect": (get) => `VALUE ${get.key} 0 5\r\nhello\r\nEND\r\n`,
  },
  classic: {
    "a key that ours is the beginning of": (get) => hit({ ...get, key: `${get.key}b` }, "theirs"),
    "a key that is the beginning of ours": (get) =>
      hit({ ...get, key: get.key.slice(0, -1) }, "theirs"),
    "no key": () => "VALUE  0 5\r\nhello\r\nEND\r\n",
    "two values": (get) =>
      hit(get, "hello").toString().replace("END", "VALUE key-a 0 1\r\n1\r\nEND"),
    "a value, and then no END": (get) => hit(get, "hello").toString().replace("END", "STORED"),
    "the meta dialect": () => "VA 5 f0 O1\r\nhello\r\n",
  },
};

function withOpaque(command: Command, opaque: string): string[] {
  return command.args.map((arg) => arg === `O${command.opaque}` ? `O${opaque}` : arg);
}

for (const dialect of DIALECTS) {
  describe(`an unexpected reply, ${dialect}`, () => {
    for (const [name, reply] of Object.entries({ ...TO_GET, ...ONLY[dialect] })) {
      test(`to a get: ${name}`, async () => {
        await using at = await rig(dialect, async (peer) => {
          const get = await peer.next();
          await peer.next();
          await peer.next();
          await peer.write(reply(get));
          // The script keeps the connection open, so it is the client that ends it.
        });
        const start = performance.now();
        // The set separates the gets, which could share a line.
        const [a, c, b] = await Promise.all([
          outcome(at.client.get("key-a")),
          outcome(at.client.set("key-c", "v")),
          outcome(at.client.get("key-b")),
        ]);
        assert.ok(performance.now() - start < 10_000, "at once, not by the deadline");
        if (name.startsWith("the same reply twice")) {
          assert.equal(a.value, "the value of key-a");
          assert.ok(c.error instanceof ProtocolError, String(c.error));
        } else {
          assert.ok(a.error instanceof ProtocolError, String(a.error));
          assert.ok(c.error instanceof ConnectionLostError, String(c.error));
        }
        assert.equal(c.error.ambiguous, true);
        assert.ok(b.error instanceof ConnectionLostError, String(b.error));
        for (const { error } of [a, b, c]) {
          if (error === undefined) continue;
          assert.equal((error as MemcachedError).server?.address, at.server.address);
          assert.doesNotMatch(String(error), /theirs|hello|HTTP|other|key-/, "nobody's bytes");
        }
        await at.assertRecovered();
        assert.equal(at.server.connections, 2);
      });
    }
  });

  describe(`to a counter, ${dialect}`, () => {
    const counts = ["hello", "", "-1", "1.5", "0x10", "12 3", "9".repeat(21), "9".repeat(20_000)];
    for (const count of counts) {
      test(`not a number: ${JSON.stringify(count.slice(0, 30))}`, async () => {
        await using at = await rig(dialect, async (peer) => {
          const { opaque } = await peer.next();
          await peer.write(
            dialect === "meta" ? `VA ${count.length} O${opaque}\r\n${count}\r\n` : `${count}\r\n`,
          );
        });
        const { error } = await outcome(at.client.increment("k"));
        assert.ok(error instanceof ProtocolError, String(error));
        assert.equal(error.ambiguous, true);
        await at.assertRecovered();
        assert.equal(at.server.connections, 2);
      });
    }
  });
}

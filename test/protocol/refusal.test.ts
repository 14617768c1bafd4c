/** What a message quotes of an error line: the server's words, but no key. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { withoutKeys } from "../../src/protocol/refusal.ts";

const KEY = "session:0f8fad5b-d9cb-469f";

test("a server's own words stay", () => {
  for (
    const line of [
      "SERVER_ERROR out of memory storing object",
      "SERVER_ERROR backend 10.0.0.1:11211 timed out",
      "CLIENT_ERROR bad command line format",
      "ERROR",
    ]
  ) assert.equal(withoutKeys(line, [KEY, "é", "k"]), line);
});

test("a key is cut out in whatever form it is written", () => {
  for (
    const [said, shown] of [
      [`SERVER_ERROR no route for ${KEY}`, "SERVER_ERROR no route for <key>"],
      [`ERROR unknown command 'get ${KEY}'`, "ERROR unknown command 'get <key>"],
      [`ERROR bad (key=${KEY}) here`, "ERROR bad <key> here"],
      [`ERROR bad "${KEY.slice(0, 12)}..."`, "ERROR bad <key>"],
      [`ERROR bad ${KEY.slice(8)}`, "ERROR bad <key>"],
      [`ERROR bad %22${encodeURIComponent(KEY)}`, "ERROR bad <key>"],
      [`ERROR bad /route/${KEY},${KEY}`, "ERROR bad <key>"],
    ] as const
  ) assert.equal(withoutKeys(said, [KEY]), shown);
});

test("short keys, keys that are not ASCII, one of many", () => {
  assert.equal(
    withoutKeys("ERROR no k, (k) or [k] key", ["k"]),
    "ERROR no <key> <key> or <key> key",
  );
  const word = "größenänderung";
  const line = Buffer.from(`ERROR no ${word} here`).toString("latin1");
  assert.equal(withoutKeys(line, [word]), "ERROR no <key> here");
  const keys = Array.from({ length: 1_000 }, (_, i) => `user-${i * 7_919}-token`);
  assert.equal(withoutKeys(`ERROR no ${keys[700]}`, keys), "ERROR no <key>");
});

test("a long line is cut, but never so that a part of a key is shown", () => {
  const shown = withoutKeys(`ERROR ${"x".repeat(180)} ${KEY} ${"y".repeat(500)}`, [KEY]);
  assert.ok(shown.length <= 200);
  assert.ok(!/session|0f8f/.test(shown));
});

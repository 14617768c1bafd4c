// Literal bytes: what each command writes, what memcached answers, and how the answer is read.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { Request } from "../../src/connection/request.ts";
import type { Dialect, DialectName } from "../../src/protocol/dialect.ts";
import { WriteBuffer } from "../../src/protocol/write_buffer.ts";
import { startMemcached } from "../support/memcached.ts";
import { EXCHANGES, type Step } from "./exchanges.ts";
import { everyCut, feed, latin1, newDialect } from "./feeding.ts";

const DIALECTS: readonly DialectName[] = ["classic", "meta"];

function requestFor({ operation, key = "", ...rest }: Step["command"]): Request<unknown> {
  return Object.assign(new Request(operation, key, () => undefined, 1000), rest);
}

function encode(dialect: Dialect, request: Request<unknown>): string {
  const out = new WriteBuffer();
  dialect.encode(request, out);
  return Buffer.concat(out.take()).toString("latin1");
}

/** Sends bytes and resolves to as many as are expected, or to what came until the server was silent. */
async function converse(
  { host, port }: { host: string; port: number },
  turns: ReadonlyArray<readonly [sent: string, length: number]>,
): Promise<string[]> {
  const socket = connect(port, host);
  socket.setNoDelay(true);
  const heard: string[] = [];
  let text = "";
  let wake = (): void => {};
  socket.setEncoding("latin1").on("data", (part: string) => {
    text += part;
    wake();
  });
  for (const [sent, length] of turns) {
    socket.write(sent, "latin1");
    const silence = Date.now() + 1_000;
    while (text.length < length && Date.now() < silence) {
      await new Promise<void>((resolve) => {
        wake = resolve;
        setTimeout(resolve, 100);
      });
    }
    heard.push(text);
    text = "";
  }
  // No more bytes may come after the last answer.
  await new Promise((resolve) => setTimeout(resolve, 20));
  heard.push(text);
  socket.destroy();
  return heard;
}

for (const name of DIALECTS) {
  describe(`the ${name} dialect, byte for byte`, () => {
    test("writes every operation as this list has it", () => {
      const dialect = newDialect(name);
      for (const step of EXCHANGES) {
        assert.equal(encode(dialect, requestFor(step.command)), step[name][0], step.what);
      }
    });

    test("memcached answers as this list has it, to one at a time and to all at once", async (t) => {
      const server = await startMemcached();
      t.after(() => server.stop());
      const heard = await converse(
        server,
        EXCHANGES.map((step) => [step[name][0], step[name][1].length]),
      );
      EXCHANGES.forEach((step, i) => assert.equal(heard[i], step[name][1], step.what));
      assert.equal(heard.at(-1), "");
      await server.restart();
      const sent = EXCHANGES.map((step) => step[name][0]).join("");
      const received = EXCHANGES.map((step) => step[name][1]).join("");
      assert.deepEqual(await converse(server, [[sent, received.length]]), [received, ""]);
    });

    test("asks for the version", async (t) => {
      const sent = encode(newDialect(name), requestFor({ operation: "version" }));
      assert.equal(sent, "version\r\n");
      const server = await startMemcached();
      t.after(() => server.stop());
      const [received = ""] = await converse(server, [[sent, "VERSION 1.6.1".length]]);
      assert.match(received, /^VERSION \d+\.\d+\.\d+\r\n$/);
      const { told, inStep } = feed(name, [{ operation: "version" }], [latin1(received)]);
      assert.deepEqual([told[0]?.text, inStep], [received.trimEnd(), true]);
    });

    test("its answers are read in step, cut at every place", () => {
      const stream = latin1(EXCHANGES.map((step) => step[name][1]).join(""));
      const asked = EXCHANGES.map((step) => step.command);
      const [whole, ...cuts] = [...everyCut(stream)].map((pieces) => feed(name, asked, pieces));
      assert.deepEqual([whole?.inStep, whole?.waiting], [true, 0]);
      const answered = new Set(whole?.told.map(({ of }) => of));
      assert.equal(answered.size, EXCHANGES.length);
      for (const cut of cuts) assert.deepEqual(cut, whole);
    });
  });
}

describe("the classic dialect's lines for many keys", () => {
  const linesOf = (keys: readonly string[]): string[] => {
    const request = Object.assign(new Request("getMany", "", () => undefined, 1000), { keys });
    return encode(newDialect("classic"), request).split("\r\n").slice(0, -1);
  };
  const names = (count: number, length: number): string[] =>
    Array.from({ length: count }, (_, i) => String(i).padStart(length, "k"));

  test("have 100 keys at most", () => {
    const keys = names(250, 4);
    const lines = linesOf(keys);
    assert.deepEqual(lines.map((line) => line.split(" ").length - 1), [100, 100, 50]);
    assert.equal(lines.join(" "), linesOf(keys).join(" "));
    assert.deepEqual(lines.flatMap((line) => line.split(" ").slice(1)), keys);
  });

  test("have 16,000 bytes of keys at most, as bytes and not as characters", () => {
    const keys = names(100, 250);
    for (const long of [keys, names(100, 50).map((key) => "é".repeat(100) + key)]) {
      const lines = linesOf(long);
      for (const line of lines) {
        assert.ok(Buffer.byteLength(line, "latin1") <= 16_003, `${line.length} bytes`);
      }
      assert.ok(lines.length === 2);
      const text = Buffer.from(lines.join(" "), "latin1").toString();
      assert.deepEqual(text.split(" ").filter((word) => word !== "get"), long);
    }
  });

  test("answer for the keys of their own line", () => {
    const keys = names(150, 4);
    const asked = [{ operation: "getMany" as const, keys }];
    const value = (key: string | undefined): string => `VALUE ${key} 0 1\r\n1\r\n`;
    const right = `${value(keys[99])}END\r\n${value(keys[100])}${value(keys[149])}END\r\n`;
    const { told, inStep, waiting } = feed("classic", asked, [latin1(right)]);
    assert.deepEqual([inStep, waiting], [true, 0]);
    assert.deepEqual(told.map(({ index }) => index), [99, 100, 149]);
    for (const wrong of [value(keys[100]), `END\r\n${value(keys[99])}`]) {
      assert.equal(feed("classic", asked, [latin1(wrong)]).inStep, false);
    }
    const failed = feed("classic", asked, [latin1("SERVER_ERROR busy\r\nEND\r\n")]);
    assert.deepEqual(failed.told, [
      { of: 0, kind: "error", text: "SERVER_ERROR busy", index: 0, upTo: 100 },
    ]);
  });
});

test("the meta dialect's opaques go from 0 to 9,999 and round again", () => {
  const dialect = newDialect("meta");
  const keys = new Array<string>(1000).fill("k");
  const many = Object.assign(new Request("getMany", "", () => undefined, 1000), { keys });
  const out = new WriteBuffer();
  for (let i = 0; i < 9; i++) {
    dialect.encode(many, out);
    out.take();
    out.restart(true);
  }
  encode(dialect, Object.assign(many, { keys: keys.slice(0, 999) }));
  const one = requestFor({ operation: "get", key: "k" });
  assert.equal(encode(dialect, one), "mg k v f O9999\r\n");
  assert.equal(encode(dialect, one), "mg k v f O0\r\n");
});

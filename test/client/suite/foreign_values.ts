/** Values that others have stored: compressed, pickled, damaged, of unknown flags; and a custom serializer. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { deflateSync, gzipSync } from "node:zlib";
import { CorruptValueError, type Serializer } from "../../../mod.ts";
import type { Part, Raw } from "./stage.ts";

export const foreignValues: Part = (on) => {
  test("compressed text and bytes of Python's clients are inflated", async () => {
    const { client, key, plant } = on();
    const [text, bytes, empty] = [key(), key(), key()];
    await plant(text, deflateSync("ä€ ".repeat(10_000)), 8 | 16);
    await plant(bytes, deflateSync(Buffer.alloc(100_000, "\0\xff\r\n", "latin1")), 8);
    await plant(empty, deflateSync(""), 8 | 16);
    assert.equal(await client.get(text), "ä€ ".repeat(10_000));
    assert.deepEqual(
      await client.get(bytes),
      new Uint8Array(Buffer.alloc(100_000, "\0\xff\r\n", "latin1")),
    );
    assert.equal(await client.get(empty), "");
    assert.equal((await client.getItem(text))?.flags, 24);
  });

  test("integers read back as numbers while they are exact, with the spaces of decr", async () => {
    const { client, key, plant } = on();
    for (
      const [text, flags, value] of [
        ["0", 2, 0],
        ["-5", 2, -5],
        ["5   ", 2, 5],
        ["9007199254740991", 2, 2 ** 53 - 1],
        ["9007199254740992", 2, 2n ** 53n],
        ["-9007199254740993", 2, -(2n ** 53n) - 1n],
        ["7", 4, 7n],
        ["-7  ", 4, -7n],
        ["18446744073709551616", 4, 2n ** 64n],
        ["007", 2, 7],
      ] as const
    ) {
      const k = key();
      await plant(k, text, flags);
      assert.equal(await client.get(k), value, `${text} under ${flags}`);
    }
  });

  test("nothing is guessed: a value that cannot be read is a CorruptValueError that names the flags", async () => {
    const { client, key, plant } = on();
    const pickle = "\x80\x03]q\x00.";
    for (
      const [data, flags, words] of [
        [pickle, 1, /flags 1\b.*pickle/],
        [deflateSync(pickle), 1 | 8, /flags 9\b.*pickle/],
        ["x", 3, /flags 3\b/],
        ["x", 5, /flags 5\b/],
        ["x", 32, /flags 32\b.*not known/],
        ["x", 255, /flags 255\b/],
        ["x", 512, /flags 512\b/],
        ["x", 2 ** 32 - 1, /flags 4294967295\b/],
        ["not zlib", 8, /flags 8\b/],
        ["not zlib", 24, /flags 24\b/],
        [gzipSync("x"), 24, /flags 24\b/],
        ["caf\xe9", 16, /flags 16\b.*UTF-8/],
        [`${"x".repeat(600)}\xc3`, 16, /flags 16\b.*UTF-8/],
        ["\xed\xa0\xbd", 16, /flags 16\b.*UTF-8/],
        [deflateSync(Buffer.of(0xff)), 24, /flags 24\b.*UTF-8/],
        [deflateSync("cut").subarray(0, 8), 8, /flags 8\b/],
        [deflateSync("5"), 2 | 8, /flags 10\b/],
        ["", 2, /flags 2\b/],
        ["5.5", 2, /flags 2\b/],
        ["0x10", 4, /flags 4\b/],
        [" 5", 2, /flags 2\b/],
        ["+5", 2, /flags 2\b/],
        ["five", 4, /flags 4\b/],
        ["", 256, /./],
        ["\xff\x0f", 256, /./],
        ["\xff\x0fo", 256, /./],
        ["{}", 256, /./],
      ] as const
    ) {
      const k = key();
      const bytes = typeof data === "string" ? Buffer.from(data, "latin1") : data;
      await plant(k, bytes, flags);
      const reads = [
        (): Promise<unknown> => client.get(k),
        (): Promise<unknown> => client.getItem(k),
        (): Promise<unknown> => client.getAndTouch(k, 60),
      ];
      for (const read of reads) {
        await assert.rejects(read(), (error) => {
          assert.ok(error instanceof CorruptValueError, String(error));
          assert.equal(error.code, "CORRUPT_VALUE");
          assert.equal(error.flags, flags);
          assert.match(error.message, words);
          assert.ok(!error.message.includes(k), "no key in a message");
          return true;
        });
      }
      assert.equal(await client.has(k), true);
    }
  });

  test("serializer replaces the table", async () => {
    const seen: unknown[] = [];
    const serializer: Serializer = {
      serialize(value): Raw {
        seen.push(value);
        return { data: new TextEncoder().encode(JSON.stringify(value)), flags: 2 ** 32 - 1 };
      },
      deserialize(data, flags): unknown {
        seen.push([data.length, flags]);
        return JSON.parse(new TextDecoder().decode(data));
      },
    };
    const { key, stored } = on();
    const json = on().connect({ serializer });
    const k = key();
    await json.set(k, { a: [1, "x"] });
    assert.deepEqual(await json.get(k), { a: [1, "x"] });
    assert.deepEqual(seen, [{ a: [1, "x"] }, [13, 2 ** 32 - 1]]);
    assert.equal((await stored(k))?.flags, 2 ** 32 - 1);
    assert.equal((await json.getItem(k))?.flags, 2 ** 32 - 1);
    assert.equal(await json.update<string>(k, () => "next"), "next");
    assert.deepEqual(await json.getMany([k]), new Map([[k, "next"]]));
    const n = key();
    assert.equal(await json.increment(n, 1, { initial: 5 }), 5n);
    assert.equal(await json.get(n), 5);
  });

  test("a serializer that throws, or returns what cannot be stored", async () => {
    const { key } = on();
    const broken = (serialize: () => unknown, deserialize: () => unknown): Serializer =>
      ({ serialize, deserialize }) as Serializer;
    const mistake = new Error("my own");
    const throwing = on().connect({
      serializer: broken(() => {
        throw mistake;
      }, () => undefined),
    });
    await assert.rejects(throwing.set(key(), 1), (error) => error === mistake);
    for (
      const result of [
        { data: "text", flags: 0 },
        { data: new Uint8Array(1), flags: -1 },
        { data: new Uint8Array(1), flags: 2 ** 32 },
        { data: new Uint8Array(1), flags: 1.5 },
        { data: new Uint8Array(1) },
      ]
    ) {
      const wrong = on().connect({ serializer: broken(() => result, () => undefined) });
      await assert.rejects(wrong.set(key(), 1), { code: "ERR_INVALID_ARGUMENT" });
    }
    const unreadable = on().connect({
      serializer: broken(() => ({ data: new Uint8Array(1), flags: 7 }), () => {
        throw mistake;
      }),
    });
    const k = key();
    await unreadable.set(k, 1);
    await assert.rejects(unreadable.get(k), (error) => {
      assert.ok(error instanceof CorruptValueError);
      // Without the serializer's own error, whose message may hold a piece of the value.
      return error.flags === 7 && error.cause === undefined && /\(Error\)$/.test(error.message);
    });
    await assert.rejects(unreadable.set(k, undefined), TypeError);
  });
};

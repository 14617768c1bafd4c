/** The table of values and flags: how each is stored, and how it comes back. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { SerializationError, ValueTooLargeError } from "../../../mod.ts";
import type { Part } from "./stage.ts";

const MOST = 1_048_000;

/** Values, the flags and bytes they are stored as, and what comes back if that is another value. */
const TABLE: ReadonlyArray<
  readonly [value: unknown, flags: number, bytes: string, back?: unknown]
> = [
  ["", 16, ""],
  ["hello", 16, "hello"],
  ["ä€😀", 16, Buffer.from("ä€😀").toString("latin1")],
  ["\ufeffbom", 16, "\xef\xbb\xbfbom"],
  ["\0\x01\x7f", 16, "\0\x01\x7f"],
  ["12", 16, "12"],
  ["\ufffd", 16, "\xef\xbf\xbd"],
  ["\ufffd".repeat(300), 16, "\xef\xbf\xbd".repeat(300)],
  ["\r\nEND\r\nVALUE a 0 1\r\nx\r\n", 16, "\r\nEND\r\nVALUE a 0 1\r\nx\r\n"],
  // Half of a surrogate pair has no UTF-8, so every encoder replaces it by U+FFFD.
  ["a\ud83d", 256, "\xff\x0fc\x04a\0\x3d\xd8"],
  ["\udc00", 256, "\xff\x0fc\x02\0\xdc"],
  // Text that decr could have left behind would be read as its count.
  ["12 ", 256, '\xff\x0f"\x0312 '],
  ["12", 16, "12"],
  [" 12", 16, " 12"],
  ["12 x ", 16, "12 x "],
  ["12345678901234567890 ", 16, "12345678901234567890 "],
  [0, 2, "0"],
  [-1, 2, "-1"],
  [Number.MAX_SAFE_INTEGER, 2, "9007199254740991"],
  [Number.MIN_SAFE_INTEGER, 2, "-9007199254740991"],
  [0n, 4, "0"],
  [-(2n ** 70n), 4, "-1180591620717411303424"],
  [2n ** 64n - 1n, 4, "18446744073709551615"],
  [Buffer.from("bytes"), 0, "bytes", new TextEncoder().encode("bytes")],
  [new Uint8Array(0), 0, ""],
  [Uint8Array.of(1, 2), 0, "\x01\x02"],
  [Uint8Array.of(1, 2, 3, 4).subarray(1, 3), 0, "\x02\x03"],
  [Uint8Array.of(0, 255).buffer, 0, "\0\xff", Uint8Array.of(0, 255)],
  // The rest is V8's format: FF, the version 0F, then the value.
  [null, 256, "\xff\x0f0"],
  [true, 256, "\xff\x0fT"],
  [false, 256, "\xff\x0fF"],
  [-0, 256, "\xff\x0fN\0\0\0\0\0\0\0\x80"],
  [1.5, 256, "\xff\x0fN\0\0\0\0\0\0\xf8?"],
  [{}, 256, "\xff\x0fo{\0"],
];

export const values: Part = (on) => {
  test("each kind of value has its flags and bytes", async () => {
    const { client, key, stored } = on();
    for (const [value, flags, bytes, back = value] of TABLE) {
      const k = key();
      await client.set(k, value);
      const raw = await stored(k);
      const what = `${typeof value} ${String(value)}`;
      assert.deepEqual(
        { flags: raw?.flags, bytes: Buffer.from(raw?.data ?? []).toString("latin1") },
        { flags, bytes },
        what,
      );
      assert.deepEqual(await client.get(k), back, what);
      assert.deepEqual((await client.getItem(k))?.flags, flags, what);
    }
  });

  test("a value without a row of its own comes back as it was", async () => {
    const { client, key } = on();
    const cyclic: Record<string, unknown> = { name: "self" };
    cyclic["self"] = cyclic;
    for (
      const value of [
        ...[NaN, Infinity, -Infinity, 0.1, 2 ** 53, -(2 ** 60), 5e-324],
        [1, "two", null, undefined, [3n]],
        { nested: { deep: [new Date(0), new Map([[{ a: 1 }, new Set([1])]])] } },
        new Map<unknown, unknown>([["__proto__", 1], [2, new Uint8Array([3])]]),
        { ["constructor"]: 1, toString: "x" },
        /a\/b/gi,
        new Uint16Array([1, 65535]),
        new DataView(new ArrayBuffer(3)),
        new RangeError("stored"),
        new Array(3),
        cyclic,
      ]
    ) {
      const k = key();
      await client.set(k, value);
      assert.deepEqual(await client.get(k), value);
    }
  });

  test("text with half of a surrogate pair comes back as it was, or is refused", async () => {
    const { client, key } = on();
    const k = key();
    for (const text of ["a\ud800b", "\udfff", "x".repeat(5_000) + "\udbff", "\ud83d\ud83d\ude00"]) {
      await client.set(k, text);
      assert.equal(await client.get(k), text);
      assert.equal(await client.update<string>(k, (current) => `${current}!`), `${text}!`);
      await client.setMany([[k, [text]]]);
      assert.deepEqual(await client.get(k), [text]);
      await client.set(k, "old");
      for (const extend of [client.append, client.prepend]) {
        await assert.rejects(extend.call(client, k, text), { code: "ERR_INVALID_ARGUMENT" });
      }
      assert.equal(await client.get(k), "old");
    }
    await client.append(k, "\ud83d\ude00");
    assert.equal(await client.get(k), "old\ud83d\ude00");
  });

  test("a value that cannot be stored rejects with the place inside it, and nothing is sent", async () => {
    const { client, key } = on();
    const k = key();
    await client.set(k, "old");
    await assert.rejects(client.set(k, undefined), { name: "TypeError", message: /undefined/ });
    for (
      const [value, path] of [
        [(): void => {}, ""],
        [Symbol("s"), ""],
        [{ user: { cb: (): void => {} } }, "user.cb"],
        [[1, [2, Symbol("s")]], "1.1"],
        [Promise.resolve(), ""],
      ] as const
    ) {
      await assert.rejects(client.set(k, value), (error) => {
        assert.ok(error instanceof SerializationError, String(error));
        assert.equal(error.code, "SERIALIZATION");
        assert.equal(error.path.replace(/[[\]]+\.?/g, ".").replace(/^\.|\.$/g, ""), path);
        return true;
      });
    }
    assert.equal(await client.get(k), "old");
  });

  test("all 256 bytes, and values that look like replies, of every size", async () => {
    const { client, key } = on();
    const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const reply = "\r\nEND\r\nVALUE k 0 2\r\nHD O1\r\nEN O2\r\nSTORED\r\n";
    const sizes = [0, 1, 2, 255, 1023, 1024, 1025, 11_606, 16_383, 16_384, 16_385, 65_535, 65_536];
    sizes.push(65_537, 200_000);
    const entries = sizes.flatMap((size): [string, string | Buffer][] => [
      [key(), reply.repeat(Math.ceil(size / reply.length)).slice(0, size)],
      [key(), Buffer.alloc(size, all)],
      [key(), "é".repeat(size / 2)],
    ]);
    await Promise.all(entries.map(([k, value]) => client.set(k, value)));
    const found = await Promise.all(entries.map(([k]) => client.get(k)));
    entries.forEach(([, value], i) => {
      const same = typeof value === "string"
        ? found[i] === value
        : value.equals(found[i] as Buffer);
      assert.ok(same, `${typeof value} of ${value.length}`);
    });
    const together = await client.getMany(entries.map(([k]) => k));
    assert.equal(together.size, entries.length);
    await client.deleteMany(entries.map(([k]) => k));
  });

  test("the largest value, and one byte more", async () => {
    const { client, key } = on();
    const k = key();
    for (const value of ["x".repeat(MOST), "é".repeat(MOST / 2), new Uint8Array(MOST)]) {
      await client.set(k, value);
      const back = await client.get<string | Buffer>(k);
      assert.equal(back?.length, value.length);
    }
    await client.set(k, "old");
    for (
      const value of ["x".repeat(MOST + 1), "é".repeat(MOST / 2) + "x", Buffer.alloc(MOST + 1)]
    ) {
      const calls = [
        client.set(k, value),
        client.add(key(), value),
        client.replace(k, value),
        client.append(k, value),
        client.prepend(k, value),
        client.cas(k, value, 1n),
        client.setMany([[key(), 1], [k, value]]),
        client.update(k, () => value),
      ];
      for (const outcome of await Promise.allSettled(calls)) {
        assert.ok(outcome.status === "rejected");
        const { reason } = outcome;
        assert.ok(reason instanceof ValueTooLargeError, String(reason));
        assert.deepEqual([reason.code, reason.oldValueLost], ["VALUE_TOO_LARGE", false]);
        assert.match(reason.message, /maxValueBytes/);
      }
    }
    assert.equal(await client.get(k), "old", "nothing was sent");
    await client.delete(k);
  });

  test("maxValueBytes: a larger stored value is refused, and no other call is disturbed", async () => {
    const { client, key } = on();
    const small = on().connect({ maxValueBytes: 1000 });
    const [tiny, exact, over, large] = [key(), key(), key(), key()];
    const lengths = new Map([[tiny, 1], [exact, 1000], [over, 1001], [large, 100_000]]);
    await client.setMany(Array.from(lengths, ([k, length]) => [k, "x".repeat(length)]));
    const calls = [tiny, over, exact, large, tiny].map((k) => small.get<string>(k));
    const outcomes = await Promise.allSettled([...calls, small.getItem(large, { touch: 60 })]);
    for (const i of [0, 2, 4]) assert.equal(outcomes[i]?.status, "fulfilled");
    for (const i of [1, 3, 5]) {
      const outcome = outcomes[i];
      assert.ok(outcome?.status === "rejected" && outcome.reason instanceof ValueTooLargeError);
      assert.equal(outcome.reason.oldValueLost, false);
    }
    assert.equal(await small.has(large), true);
    await assert.rejects(small.getMany([tiny, over, large, exact]), (error) => {
      const { results, errors } = error as {
        results: Map<string, string>;
        errors: Map<string, Error>;
      };
      assert.deepEqual([...results.keys()].sort(), [tiny, exact].sort());
      assert.deepEqual([...errors.keys()].sort(), [over, large].sort());
      return [...errors.values()].every((reason) => reason instanceof ValueTooLargeError);
    });
    await assert.rejects(small.set(tiny, "x".repeat(1001)), ValueTooLargeError);
    assert.equal(await client.get(tiny), "x");
  });

  test("a caller may change its value as soon as the call has returned", async () => {
    const { key } = on();
    const fresh = on().connect(); // not connected yet: the value has to wait
    const [a, b] = [key(), key()];
    const bytes = Uint8Array.of(1, 2, 3);
    const object = { list: [1, 2] };
    for (let round = 0; round < 2; round++) {
      bytes.set([1, 2, 3]);
      object.list = [1, 2];
      const calls = [fresh.set(a, bytes), fresh.set(b, object)];
      bytes.fill(9);
      object.list.push(3);
      await Promise.all(calls);
      assert.deepEqual(await fresh.get(a), Uint8Array.of(1, 2, 3));
      assert.deepEqual(await fresh.get(b), { list: [1, 2] });
    }
  });

  test("bytes that a call returns belong to the caller", async () => {
    const { client, key } = on();
    for (const length of [3, 600, 20_000]) {
      const k = key();
      await client.set(k, Buffer.alloc(length, 1));
      const first = await client.get<Uint8Array>(k) as Uint8Array;
      const second = await client.get<Uint8Array>(k);
      first.fill(7);
      assert.deepEqual(second, new Uint8Array(length).fill(1));
      await client.set(k, Buffer.alloc(length, 2));
      await client.get(k);
      assert.deepEqual(first, new Uint8Array(length).fill(7));
      assert.deepEqual(second, new Uint8Array(length).fill(1));
    }
  });
};

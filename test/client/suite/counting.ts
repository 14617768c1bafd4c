/** increment and decrement. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ServerError } from "../../../mod.ts";
import { assertTtl, type Part } from "./stage.ts";

const MOST = 2n ** 64n - 1n;

export const counting: Part = (on) => {
  test("increment and decrement: the new count, or undefined when absent", async () => {
    const { client, key } = on();
    const k = key();
    assert.equal(await client.increment(k), undefined);
    assert.equal(await client.decrement(k, 5), undefined);
    assert.equal(await client.has(k), false);
    await client.set(k, 10);
    assert.equal(await client.increment(k), 11n);
    assert.equal(await client.increment(k, 5), 16n);
    assert.equal(await client.increment(k, 5n), 21n);
    assert.equal(await client.increment(k, 0), 21n);
    assert.equal(await client.decrement(k), 20n);
    assert.equal(await client.decrement(k, 7), 13n);
    assert.equal(await client.get(k), 13);
  });

  test("counts are exact to 2^64 - 1, and wrap there", async () => {
    const { client, key } = on();
    const k = key();
    await client.set(k, 2n ** 53n);
    assert.equal(await client.increment(k), 2n ** 53n + 1n);
    assert.equal(await client.increment(k, MOST - 2n ** 53n - 2n), MOST - 1n);
    assert.equal(await client.get(k), MOST - 1n);
    assert.equal(await client.increment(k), MOST);
    assert.equal(await client.increment(k), 0n);
    assert.equal(await client.increment(k, MOST), MOST);
    assert.equal(await client.increment(k, MOST), MOST - 1n);
  });

  test("decrement stops at 0", async () => {
    const { client, key } = on();
    const k = key();
    await client.set(k, 3);
    assert.equal(await client.decrement(k, 5), 0n);
    assert.equal(await client.decrement(k, MOST), 0n);
  });

  test("the spaces that decrement leaves behind are not part of the count", async () => {
    const { client, key, stored } = on();
    const k = key();
    for (const first of [1000, 1000n]) {
      await client.set(k, first);
      assert.equal(await client.decrement(k, 999), 1n);
      assert.equal(await client.get(k), typeof first === "bigint" ? 1n : 1);
      assert.equal((await client.getItem(k))?.value, typeof first === "bigint" ? 1n : 1);
      assert.equal(await client.increment(k, 4), 5n);
    }
    assert.equal(new TextDecoder().decode((await stored(k))?.data), "5   ");
  });

  test("text of digits is counted too, and read without those spaces", async () => {
    const { client, key, plant } = on();
    const k = key();
    await client.set(k, "100");
    assert.equal(await client.decrement(k), 99n);
    assert.equal(await client.get(k), "99");
    assert.equal((await client.getItem<string>(k))?.value, "99");
    assert.deepEqual(await client.getMany([k]), new Map([[k, "99"]]));
    assert.equal(await client.decrement(k, 99), 0n);
    assert.equal(await client.get(k), "0");
    // Text that only looks like this, and was stored as text, comes back as it was.
    for (const text of ["99 ", "9  ", "1 ", " ", "", "12", "x 9 ", "9 9 ", "9".repeat(20) + " "]) {
      await client.set(k, text);
      assert.equal(await client.get(k), text, JSON.stringify(text));
    }
    await plant(k, "99 \n", 16);
    assert.equal(await client.get(k), "99 \n");
  });

  test("initial: used if there is no count, and only then", async () => {
    const { client, key, ttl } = on();
    for (const initial of [7, 7n, 0, MOST]) {
      for (const count of [client.increment, client.decrement].map((f) => f.bind(client))) {
        const k = key();
        assert.equal(await count(k, 3, { initial, ttl: 100 }), BigInt(initial));
        assertTtl(await ttl(k), 100);
        assert.equal((await client.getItem(k))?.flags, 2, "it reads back as a number");
      }
    }
    const k = key();
    await client.set(k, 1);
    assert.equal(await client.increment(k, 1, { initial: 50, ttl: 100 }), 2n);
    assert.equal(await ttl(k), Infinity, "ttl counts on creation only");
    assert.equal(await client.get(k), 2);
  });

  test("initial: of many calls at once one creates the count, the others go on from it", async () => {
    const { client, key } = on();
    const k = key();
    const counts = await Promise.all(
      Array.from({ length: 50 }, () => client.increment(k, 2, { initial: 100 })),
    );
    const sorted = counts.map(Number).sort((a, b) => a - b);
    assert.deepEqual(sorted, Array.from({ length: 50 }, (_, i) => 100 + 2 * i));
  });

  test("text of digits counts; anything else is a ServerError, and disturbs nobody", async () => {
    const { client, key } = on();
    const [digits, text, object] = [key(), key(), key()];
    await client.set(digits, "41");
    await client.set(text, "forty");
    await client.set(object, { n: 1 });
    assert.equal(await client.increment(digits), 42n);
    assert.equal(await client.get(digits), "42");
    const calls = [client.increment(text), client.get(text), client.decrement(object)];
    const [refused, value, also] = await Promise.allSettled(calls);
    for (const outcome of [refused, also]) {
      assert.ok(outcome?.status === "rejected" && outcome.reason instanceof ServerError);
      assert.match(outcome.reason.message, /non-numeric/);
      assert.equal(outcome.reason.ambiguous, false);
      assert.ok(outcome.reason.server !== undefined);
    }
    assert.deepEqual(value, { status: "fulfilled", value: "forty" });
  });
};

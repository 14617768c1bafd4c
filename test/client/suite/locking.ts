/** lock. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Memcached } from "../../../mod.ts";
import { assertTtl, type Part } from "./stage.ts";

export const locking: Part = (on) => {
  test("lock: one holds it, until it is released", async () => {
    const { client, key, ttl } = on();
    const other = on().connect();
    const k = key();
    const first = await client.lock(k, { ttl: 10 });
    assert.ok(first !== undefined);
    assert.equal(typeof first.token, "bigint");
    assert.equal(first.signal.aborted, false);
    // One second more than asked, because memcached's clock may take one off.
    assertTtl(await ttl(k), 11);
    assert.equal(await other.lock(k, { ttl: 10 }), undefined);
    assert.equal(await client.lock(k, { ttl: 10 }), undefined, "not by the same client either");
    assert.equal(await first.release(), true);
    assert.equal(await first.release(), false);
    assert.equal(await first.extend(), false);
    const second = await other.lock(k, { ttl: 10 });
    assert.ok(second !== undefined && second.token > first.token, "tokens rise");
    assert.equal(await first.release(), false, "another's lock is left alone");
    assert.equal(await second.release(), true);
  });

  test("lock: extend sets a new ttl, and the lock is still released by its holder", async () => {
    const { client, key, ttl } = on();
    const k = key();
    const held = await client.lock(k, { ttl: 10 });
    assert.ok(held !== undefined);
    const { token } = held;
    assert.equal(await held.extend(100), true);
    assertTtl(await ttl(k), 101);
    assert.ok(held.token > token);
    assert.equal(await held.extend(), true);
    assertTtl(await ttl(k), 11);
    await assert.rejects(held.extend(1), { name: "RangeError" });
    await assert.rejects(held.extend("5" as never), { name: "TypeError" });
    assert.equal(await held.release(), true);
  });

  test("lock: lost if others delete or write its key, and then it says so", async () => {
    const { client, key } = on();
    const spoils: ((k: string) => Promise<unknown>)[] = [
      (k) => client.delete(k),
      (k) => client.set(k, "mine"),
    ];
    for (const spoil of spoils) {
      for (const way of ["extend", "release"] as const) {
        const k = key();
        const held = await client.lock(k, { ttl: 10 });
        assert.ok(held !== undefined);
        await spoil(k);
        const now = await client.get(k);
        assert.equal(await held[way](), false);
        assert.equal(held.signal.aborted, true);
        assert.equal(await client.get(k), now);
      }
    }
  });

  test("lock: not lost if others touch its key", async () => {
    const { client, key } = on();
    const k = key();
    const held = await client.lock(k, { ttl: 10 });
    await client.touch(k, 50);
    assert.equal(await held?.extend(), true);
    assert.equal(await held?.release(), true);
  });

  test("lock: `wait` waits until another's lock ends, not for ever, and a signal ends it", async () => {
    const { client, key } = on();
    const k = key();
    const held = await client.lock(k, { ttl: 10 });
    const start = performance.now();
    assert.equal(await client.lock(k, { ttl: 10, wait: 120, timeout: 5_000 }), undefined);
    assert.ok(performance.now() - start >= 120);
    const waiting = client.lock(k, { ttl: 10, wait: 30_000 });
    const signal = AbortSignal.timeout(30);
    await assert.rejects(
      client.lock(k, { ttl: 10, wait: 30_000, signal }),
      (e) => e === signal.reason,
    );
    await held?.release();
    const next = await waiting;
    assert.ok(next !== undefined);
    assert.equal(await next.release(), true);
  });

  test("lock: await using releases, and does not reject", async () => {
    const { client, key } = on();
    const k = key();
    const held = await client.lock(k, { ttl: 10 });
    await held?.[Symbol.asyncDispose]();
    const again = await client.lock(k, { ttl: 10 });
    assert.ok(again !== undefined);
    await client.delete(k);
    await again[Symbol.asyncDispose]();
  });

  test("lock: never two inside", async () => {
    const { key } = on();
    const k = key();
    const clients = Array.from({ length: 4 }, () => on().connect());
    let inside = 0;
    let most = 0;
    let acquired = 0;
    let last = 0n;
    const contend = async (client: Memcached): Promise<void> => {
      for (let i = 0; i < 2; i++) {
        const held = await client.lock(k, { ttl: 30, wait: 60_000 });
        assert.ok(held !== undefined);
        most = Math.max(most, ++inside);
        assert.ok(held.token > last);
        last = held.token;
        acquired++;
        await sleep(1);
        inside--;
        assert.equal(await held.release(), true);
      }
    };
    await Promise.all(
      clients.flatMap((client) => Array.from({ length: 3 }, () => contend(client))),
    );
    assert.deepEqual([acquired, most], [24, 1]);
  });

  test("lock: wrong options", async () => {
    const { client, key } = on();
    const k = key();
    const wrong = { code: "ERR_INVALID_ARGUMENT" };
    for (
      const options of [undefined, {}, { ttl: undefined }, { ttl: "5" }, { ttl: 5, wait: "5" }]
    ) {
      await assert.rejects(client.lock(k, options as never), { ...wrong, name: "TypeError" });
    }
    const numbers = [{ ttl: 1 }, { ttl: NaN }, { ttl: Infinity }, { ttl: Date.now() }];
    for (const options of [...numbers, { ttl: 5, wait: -1 }, { ttl: 5, wait: Infinity }]) {
      await assert.rejects(client.lock(k, options), { ...wrong, name: "RangeError" });
    }
    assert.equal(await client.get(k), undefined);
  });
};

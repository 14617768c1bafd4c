/** close and await using. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ClosedError, type Memcached } from "../../../mod.ts";
import type { Part } from "./stage.ts";

export const closing: Part = (on) => {
  test("close: what is in flight settles first", async () => {
    const { client, key } = on();
    const mine = on().connect();
    const [a, b, n] = [key(), key(), key()];
    const entries = new Map(Array.from({ length: 500 }, (_, i) => [key(), "v".repeat(i)]));
    await client.set(b, "B");
    const calls: Promise<unknown>[] = [
      mine.set(a, "x".repeat(300_000)),
      mine.get(b),
      mine.setMany(entries),
      mine.increment(n, 1, { initial: 41 }),
      mine.update<string>(b, (value) => `${value}!`),
      mine.stats(),
    ];
    let open = calls.length;
    for (const call of calls) call.finally(() => open--).catch(() => {});
    await mine.close();
    assert.equal(open, 0, "nothing is left when close has resolved");
    const outcomes = await Promise.all(calls);
    assert.deepEqual(outcomes.slice(1, 5), ["B", undefined, 41n, "B!"]);
    assert.equal((await client.get<string>(a))?.length, 300_000);
    assert.equal((await client.getMany(entries.keys())).size, 500);
    assert.equal(await client.get(n), 41);
    await client.deleteMany(entries.keys());
  });

  test("close: new calls reject with ClosedError, and close may be called again", async () => {
    const { key } = on();
    const mine = on().connect();
    const k = key();
    await mine.set(k, 1);
    const closed = mine.close();
    const refused: Record<string, () => Promise<unknown>> = {
      get: () => mine.get(k),
      set: () => mine.set(k, 1),
      append: () => mine.append(k, "x"),
      compareAndDelete: () => mine.compareAndDelete(k, 1n),
      getMany: () => mine.getMany([k]),
      setMany: () => mine.setMany([[k, 1]]),
      deleteMany: () => mine.deleteMany([k]),
      increment: () => mine.increment(k),
      update: () => mine.update(k, () => 1),
      version: () => mine.version(),
      stats: () => mine.stats(),
      flushAll: () => mine.flushAll(),
      keys: () => mine.keys().next(),
    };
    for (let round = 0; round < 2; round++) {
      for (const [name, call] of Object.entries(refused)) {
        await assert.rejects(call(), (error) => {
          assert.ok(error instanceof ClosedError && error.code === "CLOSED", `${name}: ${error}`);
          return true;
        });
      }
      await closed;
      await mine.close();
    }
    assert.throws(() => mine.setServers("localhost"), ClosedError);
  });

  test("close: at once if nothing was ever sent", async () => {
    const start = performance.now();
    await on().connect({ timeout: 20_000 }).close();
    assert.ok(performance.now() - start < 10_000);
  });

  test("await using closes", async () => {
    let left: Memcached;
    {
      await using mine = on().connect();
      left = mine;
      assert.equal(await mine.get(on().key()), undefined);
    }
    await assert.rejects(left.get("k"), ClosedError);
  });
};

/** update. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TimeoutError } from "../../../mod.ts";
import { assertTtl, type Part } from "./stage.ts";

export const updating: Part = (on) => {
  test("update: creates, changes or leaves a value, and resolves to what is then stored", async () => {
    const { client, key, ttl } = on();
    const k = key();
    const seen: unknown[] = [];
    const add = (n: number | undefined): number => {
      seen.push(n);
      return (n ?? 0) + 1;
    };
    assert.equal(await client.update<number>(k, add), 1);
    assert.equal(await client.update<number>(k, add, { ttl: 100 }), 2);
    assert.deepEqual(seen, [undefined, 1]);
    assertTtl(await ttl(k), 100);
    assert.equal(await client.update<number>(k, () => undefined), 2);
    assert.equal(await client.update(key(), () => undefined), undefined);
    assert.equal(await client.update<number>(k, (n) => Promise.resolve((n ?? 0) * 10)), 20);
    assert.equal(await client.update<number>(k, async () => await Promise.resolve(undefined)), 20);
    assert.equal(await client.get(k), 20);
  });

  test("update: many at once lose nothing", async () => {
    const { client, key } = on();
    const other = on().connect();
    const k = key();
    const calls = Array.from(
      { length: 20 },
      (_, i) => (i % 2 ? client : other).update<string[]>(k, (list) => [...list ?? [], `${i}`]),
    );
    await Promise.all(calls);
    const list = await client.get<string[]>(k);
    assert.deepEqual(list?.map(Number).sort((a, b) => a - b), Array.from(Array(20).keys()));
  });

  test("update: a value that was deleted in between is created again", async () => {
    const { client, key } = on();
    const k = key();
    await client.set(k, "old");
    const seen: unknown[] = [];
    const stored = await client.update<string>(k, async (current) => {
      seen.push(current);
      if (seen.length === 1) await client.delete(k);
      return `${current} and new`;
    });
    assert.deepEqual(seen, ["old", undefined]);
    assert.equal(stored, "undefined and new");
    assert.equal(await client.get(k), stored);
  });

  test("update: an error of the function is the call's, and nothing is written", async () => {
    const { client, key } = on();
    const k = key();
    const mistake = new Error("my own");
    await client.set(k, "old");
    await assert.rejects(
      client.update(k, () => {
        throw mistake;
      }),
      (error) => error === mistake,
    );
    await assert.rejects(client.update(k, () => Promise.reject(mistake)), (e) => e === mistake);
    assert.equal(await client.get(k), "old");
  });

  test("update: its deadline and its signal hold for a function that does not come back", async () => {
    const { client, key } = on();
    const k = key();
    const never = (): Promise<undefined> => new Promise(() => {});
    const start = performance.now();
    await assert.rejects(client.update(k, never, { timeout: 40 }), (error) => {
      assert.ok(error instanceof TimeoutError);
      return error.ambiguous === false;
    });
    assert.ok(performance.now() - start < 10_000);
    const abort = new AbortController();
    const call = client.update(k, never, { signal: abort.signal });
    setTimeout(() => abort.abort(new Error("enough")), 20);
    await assert.rejects(call, /enough/);
  });
};

import assert from "node:assert/strict";
import process from "node:process";
import { after, before, describe, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Memcached } from "../../mod.ts";
import { RateLimitStore, type RateLimitStoreOptions } from "../../src/adapters/rate_limit.ts";
import { freePort, type MemcachedServer, startMemcached } from "../support/memcached.ts";

const REFUSED = { name: "TypeError", code: "ERR_INVALID_ARGUMENT" };

describe("RateLimitStore", () => {
  let server: MemcachedServer;
  let client: Memcached;
  before(async () => {
    server = await startMemcached();
    client = new Memcached(server.address, { timeout: 10_000 });
  });
  after(async () => {
    await client.close();
    await server.stop();
  });

  function make(windowMs: number, options: Partial<RateLimitStoreOptions> = {}): RateLimitStore {
    const store = new RateLimitStore({ client, ...options });
    store.init({ windowMs });
    return store;
  }

  test("counts what asks at the same time exactly, over all stores of a prefix", async () => {
    const stores = [make(3_600_000), make(3_600_000), make(3_600_000, { prefix: "other:" })];
    const counts = await Promise.all(
      Array.from({ length: 300 }, (_, i) => (stores[i % 2] as RateLimitStore).increment("a")),
    );
    const hits = counts.map(({ totalHits }) => totalHits).sort((a, b) => a - b);
    assert.deepEqual(hits, Array.from({ length: 300 }, (_, i) => i + 1));
    assert.equal((await stores[0]?.get("a"))?.totalHits, 300);
    assert.equal((await stores[2]?.increment("a"))?.totalHits, 1);
    assert.equal((await stores[0]?.increment("b"))?.totalHits, 1);
  });

  test("a window begins at a multiple of its length, and the next one counts anew", async () => {
    const store = make(1000, { prefix: "short:" });
    await sleep(1010 - Date.now() % 1000); // at the beginning of one
    const { totalHits, resetTime } = await store.increment("a");
    assert.equal(totalHits, 1);
    assert.equal(resetTime.getTime() % 1000, 0);
    assert.ok(resetTime.getTime() > Date.now() && resetTime.getTime() <= Date.now() + 1000);
    assert.equal((await store.increment("a")).totalHits, 2);
    await sleep(resetTime.getTime() - Date.now() + 10);
    assert.equal(await store.get("a"), undefined);
    assert.equal((await store.increment("a")).totalHits, 1);
  });

  test("a counter outlives its window by a second or two, no more", async () => {
    const store = make(60_000, { prefix: "ttl:" });
    const { resetTime } = await store.increment("a");
    const window = resetTime.getTime() / 60_000 - 1;
    const left = (resetTime.getTime() - Date.now()) / 1000;
    const { ttl = 0 } = await client.getItem(`ttl:a:${window}`) ?? {};
    assert.ok(ttl >= left && ttl <= left + 2.1, `${ttl} of ${left}`);
  });

  test("a request is taken back, and a client's are forgotten", async () => {
    const store = make(3_600_000, { prefix: "back:" });
    await store.increment("a");
    await store.increment("a");
    await store.decrement("a");
    assert.equal((await store.get("a"))?.totalHits, 1);
    await store.resetKey("a");
    assert.equal(await store.get("a"), undefined);
    await store.decrement("a");
    assert.equal(await store.get("a"), undefined);
  });

  test("any text is a key", async () => {
    const store = make(3_600_000);
    for (const key of ["", "::1", "an agent with spaces", "x".repeat(400)]) {
      assert.equal((await store.increment(key)).totalHits, 1);
      assert.equal((await store.get(key))?.totalHits, 1);
    }
  });

  test("refuses wrong options, and to count before it knows its window", async () => {
    const wrong: unknown[] = [
      undefined,
      {},
      { client: {} },
      { client, prefix: "a b" },
      { client, onUnavailable: "ignore" },
      { client, windowMs: 1000 },
    ];
    for (const options of wrong) {
      assert.throws(() => new RateLimitStore(options as RateLimitStoreOptions), REFUSED);
    }
    for (const key of [undefined, null, {}] as never[]) {
      await assert.rejects(make(1_000).increment(key), REFUSED, "one counter for all");
    }
    const store = new RateLimitStore({ client });
    for (const call of [store.increment("a"), store.get("a"), store.decrement("a")]) {
      await assert.rejects(call, /init must be called first/);
    }
    for (const windowMs of [0, -1, NaN, "1000", undefined]) {
      assert.throws(() => store.init({ windowMs: windowMs as number }), {
        code: "ERR_INVALID_ARGUMENT",
      });
    }
    assert.deepEqual([store.localKeys, store.prefix], [false, "rl:"]);
  });

  test("memcached down: it rejects with the status 503", async () => {
    await using down = new Memcached(`127.0.0.1:${await freePort()}`);
    const store = make(60_000, { client: down });
    await assert.rejects(store.increment("a"), { code: "SERVER_DOWN", status: 503 });
    await assert.rejects(store.decrement("a"), { code: "SERVER_DOWN" });
  });

  test('memcached down: with "pass" it lets pass, and says so once in a window', async (t) => {
    const warnings = listen(t);
    await using down = new Memcached(`127.0.0.1:${await freePort()}`);
    const store = make(3_600_000, { client: down, onUnavailable: "pass" });
    for (let i = 0; i < 5; i++) assert.equal((await store.increment("visitor")).totalHits, 1);
    await store.decrement("visitor");
    await sleep(50);
    const [warning = "", ...others] = warnings;
    assert.deepEqual(others, []);
    assert.match(warning, /MEMWIRE_RATE_LIMIT .*SERVER_DOWN/);
    assert.doesNotMatch(warning, /visitor/);
  });

  test("the count is right whatever the client's table of values", async () => {
    for (const values of ["memjs", "dalli", "php"] as const) {
      await using other = new Memcached(server.address, { values, prefix: `${values}:` });
      const store = make(3_600_000, { client: other });
      for (let i = 0; i < 5; i++) await store.increment("a");
      assert.equal((await store.get("a"))?.totalHits, 5);
    }
  });

  test('with "pass" other errors still reject', async () => {
    const store = make(3_600_000, { prefix: "text:", onUnavailable: "pass" });
    const window = Math.floor(Date.now() / 3_600_000);
    await client.set(`text:a:${window}`, "no number");
    await assert.rejects(store.increment("a"), { code: "SERVER_ERROR" });
  });
});

function listen(t: TestContext): string[] {
  const warnings: string[] = [];
  const hear = (warning: Error & { code?: string }): void => {
    if (warning.code === "MEMWIRE_RATE_LIMIT") warnings.push(`${warning.code} ${warning.message}`);
  };
  process.on("warning", hear);
  t.after(() => {
    process.off("warning", hear);
  });
  return warnings;
}

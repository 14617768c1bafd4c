/**
 * Makes random calls to a real memcached through a proxy that spoils replies. No call may resolve to a value that
 * was not written under its key. `MEMWIRE_FUZZ=20` makes twenty times as many calls; `MEMWIRE_SEED` repeats a
 * run's choices (not its timing).
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Memcached, MemcachedError, PartialError } from "../../mod.ts";
import { type Fault, type FaultProxy, startProxy } from "../support/fault_proxy.ts";
import { startMemcached } from "../support/memcached.ts";
import { until } from "../support/until.ts";
import { Random } from "../v8/random.ts";

const SEED = Number(process.env["MEMWIRE_SEED"] ?? Date.now() % 2 ** 31);
const COUNT = 1_200 * Number(process.env["MEMWIRE_FUZZ"] ?? 1);
const WORKERS = 16;

const KEYS = Array.from({ length: 12 }, (_, i) => `key-${i}`);
const COUNTERS = ["counter-1", "counter-2"];
// Bytes that are in no value and no reply.
const MARK = "\x07\x07\x07\x07\x07\x07\x07\x07";
const NONE: Fault = { at: 2 ** 40, by: "end" };
// Replies that nobody asked for; a client that accepted one would return this value.
const STRANGERS = [
  "VALUE stranger 16 8\r\nstranger\r\nEND\r\n",
  "VA 8 f16 O999999\r\nstranger\r\n",
  "VA 8 f16\r\nstranger\r\n",
];

/** What all workers share: which values were ever written under a key. */
const written = new Map<string, Set<string>>(KEYS.map((key) => [key, new Set()]));

/** How calls ended, by code; and how many values were read. */
const ends = new Map<string, number>();
const count = (what: string): Map<string, number> => ends.set(what, (ends.get(what) ?? 0) + 1);

/** One client, its proxy, and their choices. */
class Worker {
  readonly #random: Random;
  readonly #client: Memcached;
  readonly #proxy: FaultProxy;
  /** Whether its faults change bytes, or only when and how many of them arrive. */
  readonly #spoilsBytes: boolean;
  #made = 0;

  constructor(seed: number, client: Memcached, proxy: FaultProxy, spoilsBytes: boolean) {
    this.#random = new Random(seed);
    this.#spoilsBytes = spoilsBytes;
    this.#client = client;
    this.#proxy = proxy;
  }

  /** Makes some calls at once, with a fault or without one. */
  async sequence(): Promise<void> {
    const random = this.#random;
    if (random.below(3) > 0) this.#proxy.spoil(this.#fault());
    const calls = Array.from({ length: 1 + random.below(12) }, () => this.#call());
    const broken = random.below(20) === 0 ? this.#proxy.breakAll() : undefined;
    const release = random.below(20);
    void sleep(release).then(() => this.#proxy.release());
    await Promise.all(calls);
    await broken; // or it would break the connection of the next calls
    // A fault in a handshake marks the server down, and then most of the following calls test nothing.
    if (random.below(10) > 0) await this.recover();
  }

  /** Waits until calls are answered again. */
  async recover(): Promise<void> {
    this.#proxy.spoil(NONE);
    this.#proxy.release();
    let tries = 0;
    const answered = async (): Promise<boolean> => {
      // If a whole reply was lost, the classic dialect can stay one reply behind, because replies keep coming.
      if (++tries % 10 === 0) await this.#proxy.breakAll();
      return await this.#client.has("a", { timeout: 100 }).then(() => true, () => false);
    };
    await until(answered, 20_000);
  }

  #fault(): Fault {
    const random = this.#random;
    const at = random.below(random.of([10, 100, 2_000]));
    const length = 1 + random.below(7);
    switch (random.below(this.#spoilsBytes ? 8 : 5)) {
      case 0:
        return { at, by: "end" };
      case 1:
        return { at, by: "reset" };
      case 2:
        return { at, by: "stall" };
      case 3:
        return { at, by: { delay: random.below(40) } };
      case 4:
        return { at, by: { split: 1 + random.below(40) } };
      case 5:
        return { at, by: { replace: MARK.slice(0, length) } };
      case 6:
        return { at, by: { drop: length } };
      default:
        return { at, by: { insert: random.of([MARK, ...STRANGERS]) } };
    }
  }

  /** Makes one call. If it rejects, the error must be typed. */
  async #call(): Promise<void> {
    const random = this.#random;
    const key = random.of(KEYS);
    const timeout = random.of([10, 25, 70, 70]);
    const signal = random.below(10) === 0 ? AbortSignal.timeout(1 + random.below(30)) : undefined;
    const options = signal === undefined ? { timeout } : { timeout, signal };
    try {
      await this.#run(key, options);
      count("resolved");
    } catch (error) {
      count((error as { code?: string }).code ?? "other");
      if (error instanceof assert.AssertionError) throw error;
      if (error instanceof PartialError) {
        for (const [own, value] of error.results) {
          if (typeof value === "string") this.#check(own, value);
        }
      } else if (!(error instanceof MemcachedError)) {
        assert.equal(signal?.aborted && error, signal?.reason ?? "no error of this kind");
      }
    }
  }

  async #run(key: string, options: { timeout: number; signal?: AbortSignal }): Promise<void> {
    const client = this.#client;
    const random = this.#random;
    switch (random.below(14)) {
      case 0:
      case 1:
      case 2:
        return this.#check(key, await client.get(key, options));
      case 3:
        return this.#check(key, await client.getAndTouch(key, 60, options));
      case 4: {
        const touch = random.below(2) === 0 ? { touch: 60 } : {};
        const item = await client.getItem(key, { ...options, ...touch });
        if (item === undefined) return;
        this.#check(key, item.value);
        const stored = await client.cas(key, this.#value(key), item.cas, options);
        return assert.match(stored, /^(stored|exists|missing)$/);
      }
      case 5: {
        const keys = KEYS.filter(() => random.below(2) === 0);
        for (const [own, value] of await client.getMany(keys, options)) {
          assert.ok(keys.includes(own));
          this.#check(own, value);
        }
        return;
      }
      case 6:
      case 7:
        return await client.set(key, this.#value(key), options);
      case 8:
        return await client.setMany(
          KEYS.slice(0, 4).map((own) => [own, this.#value(own)]),
          options,
        );
      case 9:
        return assert.equal(typeof await client.add(key, this.#value(key), options), "boolean");
      case 10:
        return assert.equal(typeof await client.delete(key, options), "boolean");
      case 11:
        return assert.equal(typeof await client.has(key, options), "boolean");
      case 12: {
        const count = await client.increment(random.of(COUNTERS), 1, { ...options, initial: 1 });
        return assert.equal(typeof count, "bigint");
      }
      default: {
        const change = (current: unknown): string => {
          if (current !== undefined) this.#check(key, current);
          return this.#value(key);
        };
        return this.#check(key, await client.update(key, change, options));
      }
    }
  }

  #value(key: string): string {
    const length = this.#random.of([0, 10, 300, 20_000]);
    const value = `${key}|${SEED}-${this.#made++}-${Math.random()}|${"v".repeat(length)}|${key}`;
    (written.get(key) as Set<string>).add(value);
    return value;
  }

  #check(key: string, value: unknown): void {
    if (value === undefined) return;
    count("values");
    if (written.get(key)?.has(value as string)) return;
    const text = typeof value === "string" ? value : Buffer.from(value as Uint8Array).toString();
    // Lost or changed bytes inside a value cannot be recognized; another key's value can.
    const keys = [...text.matchAll(/(key-\d+)\|/g)].map(([, found]) => found);
    if (this.#spoilsBytes && text !== "stranger" && keys.every((found) => found === key)) return;
    assert.fail(`${key}: ${text.slice(0, 200)}`);
  }
}

test(`${COUNT} sequences of calls, seed ${SEED}`, async (t) => {
  const server = await startMemcached();
  t.after(() => server.stop());
  const seeds = Array.from({ length: WORKERS }, (_, i) => SEED + i);
  await Promise.all(seeds.map(async (seed, i) => {
    const proxy = await startProxy(server);
    const client = new Memcached(proxy.address, {
      protocol: (["meta", "classic", "auto", "classic"] as const)[i % 4] as "meta",
      timeout: i < WORKERS / 2 ? 200 : 50,
      connectTimeout: 1_000,
    });
    t.after(async () => {
      await client.close();
      await proxy.stop();
    });
    const worker = new Worker(seed, client, proxy, i % 3 === 0);
    for (let n = 0; n < COUNT / WORKERS; n++) await worker.sequence();
    // In the end the connection is in step.
    await worker.recover();
    await client.set(`end-${i}`, i, { timeout: 5_000 });
    assert.equal(await client.get(`end-${i}`, { timeout: 5_000 }), i);
  }));
  // Most calls must have been served, or the run has tested nothing.
  t.diagnostic(JSON.stringify(Object.fromEntries(ends)));
  assert.ok((ends.get("resolved") ?? 0) > 2 * COUNT && (ends.get("values") ?? 0) > 2 * COUNT);
  assert.ok([...written.values()].reduce((sum, { size }) => sum + size, 0) > COUNT);
});

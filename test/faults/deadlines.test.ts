/**
 * Deadlines: no call rejects early, none later than 50 ms after its deadline while the event loop is free, and a
 * blocked loop fails no call whose reply has come.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { nextTick } from "node:process";
import { test } from "node:test";
import { setImmediate } from "node:timers";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type CallOptions,
  Memcached,
  PartialError,
  type Serializer,
  TimeoutError,
} from "../../mod.ts";
import { borrowMemcached } from "../support/memcached.ts";
import { startScriptedServer } from "../support/scripted_server.ts";
import { together } from "../support/together.ts";
import { answer, type Dialect, DIALECTS, outcome, PATIENT, rig, valueOf } from "./rig.ts";
import { atBest } from "../support/at_best.ts";

const LATEST = 50;

/** Measures how late timers are while it runs, which is what the machine adds to every deadline. */
class Lag {
  #worst = 0;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor() {
    let last = performance.now();
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.#worst = Math.max(this.#worst, now - last - 5);
      last = now;
    }, 5);
  }

  stop(): number {
    clearInterval(this.#timer);
    return this.#worst;
  }
}

const CALLS: Readonly<Record<string, (m: Memcached, options: CallOptions) => Promise<unknown>>> = {
  get: (m, options) => m.get("k", options),
  getMany: (m, options) => m.getMany(["k", "l"], options),
  getItem: (m, options) => m.getItem("k", { ...options, touch: 9 }),
  getAndTouch: (m, options) => m.getAndTouch("k", 9, options),
  has: (m, options) => m.has("k", options),
  touch: (m, options) => m.touch("k", 9, options),
  delete: (m, options) => m.delete("k", options),
  deleteMany: (m, options) => m.deleteMany(["k", "l"], options),
  version: (m, options) => m.version(options),
  set: (m, options) => m.set("k", "v", options),
  setMany: (m, options) => m.setMany([["k", "v"], ["l", "v"]], options),
  add: (m, options) => m.add("k", "v", options),
  replace: (m, options) => m.replace("k", "v", options),
  append: (m, options) => m.append("k", "v", options),
  prepend: (m, options) => m.prepend("k", "v", options),
  cas: (m, options) => m.cas("k", "v", 3n, options),
  compareAndDelete: (m, options) => m.compareAndDelete("k", 3n, options),
  increment: (m, options) => m.increment("k", 1, options),
  decrement: (m, options) => m.decrement("k", 1, options),
  "update, its read": (m, options) => m.update("k", () => "v", options),
};
const READS = /^(get|has|touch|delete(Many)?$|version|update)/;

/** A server that accepts everything and answers nothing. */
async function silent(dialect: Dialect): Promise<Awaited<ReturnType<typeof rig>>> {
  return await rig(dialect, async (peer) => {
    for (;;) await peer.next();
  }, { timeout: 60_000 });
}

const cases = together({
  ...Object.fromEntries(DIALECTS.map((dialect) => [
    `each call by its own timeout, and ambiguous if it is a write, ${dialect}`,
    () =>
      atBest(async () => {
        await using at = await silent(dialect);
        await outcome(at.client.get("first", { timeout: 30 }));
        const lag = new Lag();
        const ends = await Promise.all(
          Object.entries(CALLS).flatMap(([name, call], i) =>
            [60, 133, 240].map(async (base) => {
              const timeout = base + i;
              const start = performance.now(); // before the call, because it may take long to return
              const { error } = await outcome(call(at.client, { timeout }));
              return { name, timeout, error, ms: performance.now() - start };
            })
          ),
        );
        // A call is rejected at the latest by the second look after its deadline, and each look may be late.
        const late = LATEST + 3 * lag.stop();
        for (const { name, timeout, error, ms } of ends) {
          const why = `${name} of ${timeout} ms after ${ms} ms`;
          assert.ok(ms >= timeout, `${why}: early`);
          assert.ok(ms <= timeout + late, `${why}: late, by timers that were ${late} late`);
          const all = error instanceof PartialError ? [error, ...error.errors.values()] : [error];
          for (const each of all) {
            assert.equal((each as TimeoutError).ambiguous, !READS.test(name), name);
            if (each === error && error instanceof PartialError) continue;
            assert.ok(each instanceof TimeoutError, `${name}: ${each}`);
            assert.equal(
              each.server?.address,
              name.startsWith("update") ? each.server?.address : at.server.address,
            );
          }
        }
      }),
  ])),

  "connecting counts, and a call that was not sent is not ambiguous": () =>
    atBest(async () => {
      await using server = await startScriptedServer(() => {}, { dialect: "none" });
      await using client = new Memcached(server.address, { timeout: 120, connectTimeout: 2_000 });
      const lag = new Lag();
      const ends = await Promise.all([
        outcome(client.set("a", "v")),
        outcome(client.increment("a")),
        outcome(client.get("a", { timeout: 60 })),
      ]);
      const late = LATEST + 3 * lag.stop();
      for (const [i, { error, ms }] of ends.entries()) {
        const timeout = i === 2 ? 60 : 120;
        assert.ok(error instanceof TimeoutError, String(error));
        assert.equal(error.ambiguous, false);
        assert.ok(ms >= timeout && ms <= timeout + late, `${ms} ms`);
      }
    }),

  "waiting for room counts": () =>
    atBest(async () => {
      await using server = await startScriptedServer(async (peer) => {
        for (;;) await peer.next();
      });
      await using client = new Memcached(server.address, { timeout: 150, maxPending: 4 });
      const keys = Array.from({ length: 40 }, (_, i) => `k${i}`);
      const lag = new Lag();
      const { error, ms } = await outcome(client.setMany(keys.map((key) => [key, "v"])));
      assert.ok(ms >= 150 && ms <= 150 + LATEST + 3 * lag.stop(), `${ms} ms`);
      assert.ok(error instanceof PartialError);
      const all = [...error.errors.values()];
      assert.equal(all.length, 40);
      assert.ok(all.every((each) => each instanceof TimeoutError));
      const sent = all.filter((each) => each.ambiguous);
      assert.equal(sent.length, 2, "half of the room is for single calls");
      assert.deepEqual(
        new Set(sent.map((each) => (each as TimeoutError).phase)),
        new Set(["sent"]),
      );
      const unsent = all.filter((each) => !each.ambiguous) as TimeoutError[];
      assert.ok(unsent.every(({ phase }) => phase === "queued"));
    }),

  "a call may wait longer than the client's timeout": async () => {
    await using at = await rig("meta", async (peer) => {
      const get = await peer.next();
      await sleep(500);
      await peer.write(answer(get));
    }, { timeout: 100 });
    assert.equal(await at.client.get("k", { timeout: 5_000 }), valueOf("k"));
    assert.equal(at.server.connections, 1);
  },

  "a call may wait for a shorter time, and does not affect the others": async () => {
    await using at = await rig("classic", async (peer) => {
      for (;;) {
        const command = await peer.next();
        await sleep(400);
        await peer.write(answer(command));
      }
    }, { timeout: 5_000 });
    const [short, long] = await Promise.all([
      outcome(at.client.get("short", { timeout: 40 })),
      outcome(at.client.get("long")),
    ]);
    assert.ok(short.error instanceof TimeoutError);
    assert.equal(long.value, valueOf("long"));
    assert.equal(at.server.connections, 1);
  },
});

for (const [name, run] of cases) test(name, run);

/** Blocks the event loop for so many ms, once the requests made so far have been written. */
function block(ms: number): void {
  setImmediate(() =>
    nextTick(() =>
      nextTick(() => {
        const end = performance.now() + ms;
        while (performance.now() < end);
      })
    )
  );
}

for (const [timeout, ms] of [[30, 42], [30, 65], [50, 120], [120, 150]] as const) {
  test(`a loop blocked for ${ms} ms loses no reply to calls of ${timeout} ms`, async (t) => {
    const servers = await borrowMemcached();
    t.after(() => servers.stop());
    const [address] = servers.addresses as [string];
    for (const protocol of DIALECTS) {
      const client = new Memcached(address, { protocol, ...PATIENT });
      t.after(() => client.close());
      const keys = Array.from({ length: 20 }, (_, i) => `${protocol}-blocked-${i}`);
      await Promise.all(keys.map((key) => client.set(key, valueOf(key))));
      for (let round = 0; round < 2; round++) {
        await atBest(async () => {
          const many = client.getMany(keys, { timeout });
          const calls = keys.map((key) => client.get(key, { timeout }));
          calls.push(many.then((found) => found.get(keys[0] as string)));
          block(ms);
          const values = await Promise.all(calls);
          assert.deepEqual(values, [...keys, keys[0] as string].map(valueOf));
        });
      }
    }
  });
}

for (const protocol of DIALECTS) {
  test(`a loop blocked for 1 s loses no reply of many that take long to read, ${protocol}`, async (t) => {
    const servers = await borrowMemcached();
    t.after(() => servers.stop());
    const client = new Memcached(servers.addresses as string[], { protocol, ...PATIENT });
    t.after(() => client.close());
    const rows = Array.from(
      { length: 300 },
      (_, id) => ({ id, name: `row ${id}`, tags: ["a", "b"] }),
    );
    const keys = Array.from({ length: 250 }, (_, i) => `${protocol}-many-${i}`);
    await client.setMany(keys.map((key) => [key, rows]));
    const calls = keys.map((key) => outcome(client.get<typeof rows>(key, { timeout: 300 })));
    block(1_000);
    const ends = await Promise.all(calls);
    assert.deepEqual(ends.filter(({ error }) => error !== undefined), []);
    assert.ok(ends.every(({ value }) => (value as typeof rows).length === rows.length));
  });
}

/** A serializer whose values take `ms` each to read. */
function slowToRead(ms: number): Serializer {
  return {
    serialize: (value) => ({ data: Buffer.from(value as string), flags: 0 }),
    deserialize: (data) => {
      const end = performance.now() + ms;
      while (performance.now() < end);
      return Buffer.from(data).toString();
    },
  };
}

for (const protocol of DIALECTS) {
  test(`replies that take longer to read than the loop was blocked are not lost, ${protocol}`, async (t) => {
    const servers = await borrowMemcached();
    t.after(() => servers.stop());
    const client = new Memcached(servers.addresses as string[], {
      protocol,
      serializer: slowToRead(4),
      ...PATIENT,
    });
    t.after(() => client.close());
    const value = "v".repeat(60_000);
    const keys = Array.from({ length: 200 }, (_, i) => `${protocol}-slow-${i}`);
    await client.setMany(keys.map((key) => [key, value]));
    const calls = keys.map((key) => outcome(client.get(key, { timeout: 50 })));
    block(100);
    const ends = await Promise.all(calls);
    assert.deepEqual(ends.filter(({ error }) => error !== undefined), []);
    assert.ok(ends.every((end) => end.value === value));
  });

  test(`a server that could not send while the loop was blocked may go on, ${protocol}`, async () => {
    await using at = await rig(protocol, async (peer) => {
      const replies: Uint8Array[] = [];
      for (let i = 0; i < 20; i++) replies.push(answer(await peer.next()));
      // What a network far away does: the rest comes a round trip after the client has read the beginning.
      await peer.write(Buffer.concat(replies.slice(0, 10)));
      await sleep(30);
      await peer.write(Buffer.concat(replies.slice(10)));
    });
    const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
    const calls = keys.map((key) => outcome(at.client.set(key, "v", { timeout: 200 })));
    block(600);
    const ends = await Promise.all(calls);
    assert.deepEqual(ends.filter(({ error }) => error !== undefined), []);
  });
}

test("bytes that keep coming after a blocked loop put a deadline off for a while only", async () => {
  await using at = await rig("meta", async (peer) => {
    const get = await peer.next();
    const reply = answer({ ...get, key: "x".repeat(30_000) });
    await peer.write(reply, { chunk: 1, every: 1 });
  });
  const call = outcome(at.client.get("k", { timeout: 200 }));
  await sleep(100);
  block(150);
  const { error, ms } = await call;
  assert.ok(error instanceof TimeoutError, String(error));
  assert.ok(ms < 10_000, `${ms} ms`);
});

test("a loop that is busy all the time still expires calls, even if bytes keep coming", async () => {
  await using at = await rig("meta", async (peer) => {
    const get = await peer.next();
    const reply = answer({ ...get, key: "x".repeat(30_000) });
    await peer.write(reply, { chunk: 1, every: 1 });
  }, { timeout: 300 });
  const call = outcome(at.client.get("k", { timeout: 200 }));
  await sleep(100);
  const busy = setInterval(() => block(60), 1);
  const { error, ms } = await call;
  clearInterval(busy);
  assert.ok(error instanceof TimeoutError, String(error));
  assert.ok(ms < 10_000, `${ms} ms`);
});

test("a loop that was blocked before, too, loses no reply", () =>
  atBest(async () => {
    await using at = await rig("meta", async (peer) => {
      for (;;) {
        const get = await peer.next();
        if (get.key === "slow") await sleep(50);
        await peer.write(answer(get));
      }
    }, { timeout: 200 });
    await at.client.get("warm", { timeout: PATIENT.timeout });
    const first = at.client.get("fast", { timeout: PATIENT.timeout });
    block(80);
    await first;
    await sleep(600);
    const call = outcome(at.client.get("slow"));
    block(1_000);
    assert.equal((await call).value, valueOf("slow"));
  }));

test("a loop that is busy all the time still expires calls", async () => {
  await using at = await silent("meta");
  const busy = setInterval(() => {
    const end = performance.now() + 60;
    while (performance.now() < end);
  }, 1);
  const { error, ms } = await outcome(at.client.get("k", { timeout: 100 }));
  clearInterval(busy);
  assert.ok(error instanceof TimeoutError);
  assert.ok(ms < 10_000, `${ms} ms`);
});

test("a loop blocked while connecting does not make a server down", async (t) => {
  const servers = await borrowMemcached();
  t.after(() => servers.stop());
  for (const protocol of ["auto", "classic"] as const) {
    for (const ticks of [0, 1, 3]) {
      const client = new Memcached(servers.addresses as string[], {
        protocol,
        connectTimeout: 250,
        timeout: 20_000,
      });
      t.after(() => client.close());
      const call = client.set("blocked-connecting", "v");
      for (let i = 0; i < ticks; i++) await new Promise((resolve) => setTimeout(resolve, 0));
      block(300);
      await call;
    }
  }
});

/**
 * Calls for very many keys: they end at their deadline whatever fails, leave room for single calls and for each
 * other, and wait for room that other calls have taken.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { setImmediate } from "node:timers";
import { setTimeout as sleep } from "node:timers/promises";
import {
  Memcached,
  type MemcachedOptions,
  OverloadedError,
  PartialError,
  ServerDownError,
  TimeoutError,
  ValueTooLargeError,
} from "../../mod.ts";
import { freePort, type MemcachedServer, startMemcached } from "../support/memcached.ts";
import { hit } from "../support/replies.ts";
import { type Peer, startScriptedServer } from "../support/scripted_server.ts";
import { answer, behave, DIALECTS, outcome, PATIENT, valueOf } from "./rig.ts";

const COUNT = 100_000;
const KEYS = Array.from({ length: COUNT }, (_, i) => `key:${i}`);
const ENTRIES = KEYS.map((key) => [key, "value"] as const);

type Call = (client: Memcached, timeout?: number) => Promise<unknown>;

const options = (timeout?: number): { timeout?: number } =>
  timeout === undefined ? {} : { timeout };
const CALLS: Readonly<Record<string, Call>> = {
  setMany: (client, timeout) => client.setMany(ENTRIES, options(timeout)),
  deleteMany: (client, timeout) => client.deleteMany(KEYS, options(timeout)),
  getMany: (client, timeout) => client.getMany(KEYS, options(timeout)),
};

// In ms, for a call that takes some 50 ms beside its deadline, and much longer if it looks at all keys for each key.
const MOST = 10_000;

async function open(
  protocol: "meta" | "classic",
  given: MemcachedOptions = {},
): Promise<{ server: MemcachedServer; client: Memcached } & AsyncDisposable> {
  const server = await startMemcached({ args: ["-m", "256"] });
  const client = new Memcached(server.address, { ...PATIENT, protocol, ...given });
  await client.version();
  return {
    server,
    client,
    async [Symbol.asyncDispose](): Promise<void> {
      server.resume();
      await client.close();
      await server.stop();
    },
  };
}

for (const protocol of DIALECTS) {
  for (const [name, call] of Object.entries(CALLS)) {
    test(`${name} of ${COUNT} keys at a stalled server ends at its deadline, ${protocol}`, async () => {
      await using at = await open(protocol);
      at.server.pause();
      const start = performance.now(); // before the call, which does much work before it returns
      const { error } = await outcome(call(at.client, 300));
      const ms = performance.now() - start;
      assert.ok(ms >= 300 && ms < MOST, `${ms} ms`);
      assert.ok(error instanceof PartialError, String(error));
      assert.equal(error.errors.size, COUNT);
      const distinct = new Set(error.errors.values());
      assert.ok(distinct.size <= 10, `${distinct.size} errors`);
      for (const each of distinct) assert.ok(each instanceof TimeoutError, String(each));
    });
  }
}

for (const [name, call] of Object.entries(CALLS)) {
  test(`${name} of ${COUNT} keys at a server that is down ends at once`, async () => {
    await using client = new Memcached(`127.0.0.1:${await freePort()}`, PATIENT);
    await outcome(client.get("k"));
    const start = performance.now();
    const { error } = await outcome(call(client));
    const ms = performance.now() - start;
    assert.ok(ms < MOST, `${ms} ms`);
    assert.ok(error instanceof PartialError, String(error));
    assert.equal(error.errors.size, COUNT);
    const distinct = new Set(error.errors.values());
    assert.equal(distinct.size, 1);
    for (const each of distinct) assert.ok(each instanceof ServerDownError);
  });
}

for (const protocol of DIALECTS) {
  test(`single calls find room beside calls of ${COUNT} keys, ${protocol}`, async () => {
    await using at = await open(protocol);
    await at.client.set("single", "value");
    let over = false;
    const large = Promise.all(Object.values(CALLS).map((call) => call(at.client)))
      .finally(() => over = true);
    let made = 0;
    while (!over) {
      const values = await Promise.all(
        Array.from({ length: 100 }, () => at.client.get("single")),
      );
      made += values.length;
      assert.ok(values.every((value) => value === "value"));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await large;
    assert.ok(made >= 200, `${made} single calls`);

    // A stalled server takes time from single calls, but not their room.
    at.server.pause();
    const stalled = Object.values(CALLS).map((call) => outcome(call(at.client, 500)));
    const ends = await Promise.all(
      Array.from({ length: 5_000 }, () => outcome(at.client.get("single", { timeout: 200 }))),
    );
    for (const { error } of ends) assert.ok(error instanceof TimeoutError, String(error));
    await Promise.all(stalled);
  });

  test(`a call for few keys does not wait for the end of one for many, ${protocol}`, async () => {
    await using at = await open(protocol);
    await at.client.set("a", 1);
    const ends: string[] = [];
    const note = (name: string) => (): number => ends.push(name);
    const large = Array.from({ length: 3 }, () => at.client.setMany(ENTRIES).then(note("large")));
    const small = Array.from(
      { length: 20 },
      () => at.client.getMany(["a", "b"]).then(note("small")),
    );
    await Promise.all([...large, ...small]);
    assert.deepEqual(ends.slice(0, 20), new Array(20).fill("small"));
  });
}

test("a call for many keys waits for room that single calls have taken", async () => {
  let go: (() => void) | undefined;
  const gone = new Promise<void>((resolve) => go = resolve);
  await using server = await startScriptedServer(async (peer: Peer) => {
    await gone;
    await behave(peer);
  });
  await using client = new Memcached(server.address, { ...PATIENT, maxPending: 100 });
  const singles = Array.from({ length: 100 }, (_, i) => client.get(`single${i}`));
  assert.ok((await outcome(client.get("one-more"))).error instanceof OverloadedError);
  const keys = KEYS.slice(0, 300);
  const many = [
    client.getMany(keys),
    client.setMany(keys.map((key) => [key, "v"])),
    client.deleteMany(keys),
  ];
  setTimeout(() => go?.(), 50);
  // Free room is kept for calls that already wait, however many single calls ask for it.
  let over = false;
  const pressing = (async (): Promise<number> => {
    let refused = 0;
    while (!over) {
      const ends = await Promise.all(Array.from({ length: 150 }, () => outcome(client.get("k"))));
      refused += ends.filter(({ error }) => error instanceof OverloadedError).length;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return refused;
  })();
  const [found, , deleted] = await Promise.all(many);
  over = true;
  assert.ok(await pressing > 0);
  assert.deepEqual(found, new Map(keys.map((key) => [key, valueOf(key)])));
  assert.equal((deleted as Map<string, boolean>).size, 300);
  await Promise.all(singles);
});

test("calls for many keys that are aborted after a rest leave their room to those that wait", async () => {
  await using server = await startMemcached();
  await using client = new Memcached(server.address, PATIENT);
  await client.set("before", 1);
  await sleep(1_100); // from then on the socket is read before the first write
  const controller = new AbortController();
  const { signal } = controller;
  const keys = Array.from({ length: 4_000 }, (_, i) => `key${i}`);
  const aborted = [
    outcome(client.getMany(keys, { signal })),
    outcome(client.getMany(keys, { signal })),
  ];
  const third = client.getMany([...keys, "before"]);
  await Promise.resolve();
  controller.abort(new Error("enough"));
  for (const { error } of await Promise.all(aborted)) assert.equal(error?.message, "enough");
  assert.deepEqual(await third, new Map([["before", 1]]));
});

for (const protocol of DIALECTS) {
  test(`keys that were not answered when the connection was lost are asked again, ${protocol}`, async () => {
    await using server = await startScriptedServer(async (peer) => {
      if (peer.index % 2 === 1) return await behave(peer);
      const first = await peer.next();
      const two = answer(
        first.name === "get" ? { ...first, args: first.args.slice(0, 2) } : first,
      ).toString();
      await peer.write(two.replace(/END\r\n$/, ""));
      peer.end();
    }, { dialect: protocol });
    await using client = new Memcached(server.address, { ...PATIENT, protocol });
    const keys = KEYS.slice(0, 30);
    const deleted = await client.deleteMany(keys);
    assert.deepEqual(new Map(deleted), new Map(keys.map((key) => [key, true])));
    await using other = new Memcached(server.address, { ...PATIENT, protocol });
    const found = await other.getMany(keys);
    assert.deepEqual(new Map(found), new Map(keys.map((key) => [key, valueOf(key)])));
  });
}

test("writes that were not answered when the connection was lost are ambiguous, those before are done", async () => {
  await using server = await startScriptedServer(async (peer) => {
    for (let i = 0; i < 5; i++) await peer.write(answer(await peer.next()));
    peer.end();
  });
  await using client = new Memcached(server.address, PATIENT);
  const { error } = await outcome(client.setMany(KEYS.slice(0, 30).map((key) => [key, "v"])));
  assert.ok(error instanceof PartialError);
  assert.deepEqual([...error.results.keys()], KEYS.slice(0, 5));
  assert.deepEqual([...error.errors.keys()], KEYS.slice(5, 30));
  for (const each of error.errors.values()) {
    assert.deepEqual([each.code, each.ambiguous], ["CONNECTION_LOST", true]);
  }
});

test("the largest value that maxValueBytes allows can be sent", async () => {
  await using server = await startMemcached({ args: ["-I", "128m", "-m", "1024"] });
  const large = { ...PATIENT, maxValueBytes: 120e6 };
  await using client = new Memcached(server.address, large);
  const value = new Uint8Array(40e6).fill(7);
  await Promise.all([client.set("k", value), client.set("small", 1)]);
  const found = await client.get<Uint8Array>("k");
  assert.equal(found?.length, value.length);
  assert.ok(found.every((byte) => byte === 7));
  await client.setMany([["a", 1], ["k2", value], ["b", 2]]);
  assert.equal(await client.has("k2"), true);

  await using bounded = new Memcached(server.address, { ...large, maxPendingBytes: 1e6 });
  await bounded.set("k", new Uint8Array(900_000));
  for (
    const call of [
      bounded.set("k", value),
      bounded.setMany([["k", value]]),
      bounded.append("k", value),
    ]
  ) {
    await assert.rejects(call, (error) => {
      assert.ok(error instanceof ValueTooLargeError, String(error));
      assert.match(error.message, /maxPendingBytes/);
      return !error.oldValueLost;
    });
  }
  assert.equal((await bounded.get<Uint8Array>("k"))?.length, 900_000);
});

for (const protocol of DIALECTS) {
  for (const how of ["FIN", "RST", "silence"] as const) {
    test(`a value of which only a part has come is no miss: ${how}, ${protocol}`, async () => {
      const value = "v".repeat(40_000);
      for (const keys of [["big"], ["small", "big"], ["big", "last"]]) {
        await using server = await startScriptedServer(async (peer) => {
          if (peer.index > 0) {
            for (;;) await peer.next();
          }
          const replies: Uint8Array[] = [];
          for (;;) {
            const command = await peer.next();
            const asked = protocol === "meta" ? [command.key] : command.args;
            for (const [i, key] of asked.entries()) {
              const reply = hit({ ...command, key }, key === "big" ? value : valueOf(key));
              const isLast = i === asked.length - 1;
              replies.push(protocol === "meta" || isLast ? reply : reply.subarray(0, -5)); // END
            }
            if (replies.length === keys.length) break;
          }
          await peer.write(Buffer.concat(replies).subarray(0, 20_000));
          await sleep(20);
          if (how === "FIN") peer.end();
          else if (how === "RST") await peer.reset();
          else await peer.next();
        }, { dialect: protocol });
        await using client = new Memcached(server.address, {
          ...PATIENT,
          protocol,
          timeout: how === "silence" ? 300 : PATIENT.timeout,
        });
        const { error } = await outcome(client.getMany(keys));
        assert.ok(error instanceof PartialError, String(error));
        const small = keys[0] === "small" ? ["small"] : [];
        assert.deepEqual([...error.results.keys()], small);
        assert.deepEqual([...error.errors.keys()], keys.filter((key) => key !== "small"));
      }
    });
  }
}

test("a call that finds room when it is overdue does not say that it was certainly not done", async () => {
  const block = (ms: number): void => {
    const end = performance.now() + ms;
    while (performance.now() < end);
  };
  for (let round = 0; round < 20; round++) {
    let answerFirst = (): void => {};
    const released = new Promise<void>((resolve) => answerFirst = resolve);
    const seen: string[] = [];
    await using server = await startScriptedServer(async (peer) => {
      await peer.write(answer(await peer.next()));
      const first = [await peer.next(), await peer.next(), await peer.next(), await peer.next()];
      await released;
      await peer.write(Buffer.concat(first.map(answer)));
      for (;;) {
        const command = await peer.next();
        seen.push(command.key);
        await peer.write(answer(command));
      }
    });
    await using client = new Memcached(server.address, {
      connectTimeout: PATIENT.connectTimeout,
      timeout: 100,
      maxPending: 8,
    });
    await client.get("warm", { timeout: PATIENT.timeout });
    const first = client.setMany([1, 2, 3, 4].map((n) => [`first-${n}`, n]), {
      timeout: PATIENT.timeout,
    });
    const late = outcome(client.setMany([["late", 1]]));
    await sleep(100 + round);
    block(60);
    setImmediate(() => {
      answerFirst();
      block(10);
    });
    const { error } = await late;
    await first;
    await sleep(20);
    if (!seen.includes("late")) continue;
    const own = error instanceof PartialError ? error.errors.get("late") : undefined;
    assert.ok(error === undefined || own?.ambiguous, `it was done: ${own}`);
  }
});

/**
 * Replies that come after their call has given up, by its deadline or by its signal. Each is matched with the
 * call that it belongs to and dropped, and the connection is kept, unless a reply is so late that it will not
 * come.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type CallOptions,
  ConnectionLostError,
  type Memcached,
  PartialError,
  TimeoutError,
} from "../../mod.ts";
import { hit } from "../support/replies.ts";
import type { Command, Peer } from "../support/scripted_server.ts";
import { together } from "../support/together.ts";
import { until } from "../support/until.ts";
import { answer, type Dialect, DIALECTS, outcome, rig, valueOf } from "./rig.ts";

type Call = (client: Memcached, options: CallOptions) => Promise<unknown>;

const LARGE = "0123456789".repeat(30_000);

const CALLS: Readonly<Record<string, Call>> = {
  get: (m, options) => m.get("k", options),
  "several gets": (m, options) =>
    Promise.all(["k", "k", "l", "m"].map((key) => m.get(key, options))),
  getMany: (m, options) => m.getMany(["k", "l", "m"], options),
  getItem: (m, options) => m.getItem("k", { ...options, touch: 9 }),
  getAndTouch: (m, options) => m.getAndTouch("k", 9, options),
  has: (m, options) => m.has("k", options),
  touch: (m, options) => m.touch("k", 9, options),
  delete: (m, options) => m.delete("k", options),
  version: (m, options) => m.version(options),
  set: (m, options) => m.set("k", "v", options),
  setMany: (m, options) => m.setMany([["k", "v"], ["l", "v"]], options),
  add: (m, options) => m.add("k", "v", options),
  append: (m, options) => m.append("k", "v", options),
  cas: (m, options) => m.cas("k", "v", 3n, options),
  increment: (m, options) => m.increment("k", 1, options),
  "get of a large value": (m, options) => m.get("large", options),
};

/** A server that answers once, then holds back its replies until `open` is called. */
function late(): { script: (peer: Peer) => Promise<void>; open: () => void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => open = resolve);
  const reply = (command: Command): Uint8Array =>
    command.key === "large" ? hit(command, LARGE) : answer(command);
  const script = async (peer: Peer): Promise<void> => {
    await peer.write(answer(await peer.next()));
    for (;;) {
      const command = await peer.next();
      await opened;
      await peer.write(reply(command));
    }
  };
  return { script, open };
}

function assertTimedOut(error: unknown): void {
  const all = error instanceof PartialError ? [...error.errors.values()] : [error];
  for (const each of all) assert.ok(each instanceof TimeoutError, String(each));
}

/** Lets the call give up, makes another one, then lets all replies come. */
async function giveUp(dialect: Dialect, call: Call, by: "deadline" | "signal"): Promise<void> {
  const { script, open } = late();
  await using at = await rig(dialect, script);
  await at.client.get("first");
  if (by === "deadline") {
    assertTimedOut((await outcome(call(at.client, { timeout: 30 }))).error);
  } else {
    const controller = new AbortController();
    const reason = new Error("the caller's own reason");
    setTimeout(() => controller.abort(reason), 30);
    const { error } = await outcome(call(at.client, { signal: controller.signal }));
    assert.equal(error, reason);
  }
  const next = [at.client.get("next"), at.client.getMany(["n1", "n2"]), at.client.increment("n")];
  await sleep(20);
  open();
  assert.deepEqual(await Promise.all(next), [
    valueOf("next"),
    new Map(["n1", "n2"].map((key) => [key, valueOf(key)])),
    5n,
  ]);
  await at.assertRecovered();
  assert.equal(at.server.connections, 1);
}

const cases = together({
  ...Object.fromEntries(
    DIALECTS.flatMap((dialect) =>
      (["deadline", "signal"] as const).flatMap((by) =>
        Object.entries(CALLS).map(([name, call]) => [
          `${name}, ended by its ${by}, ${dialect}`,
          () => giveUp(dialect, call, by),
        ])
      )
    ),
  ),

  ...Object.fromEntries(DIALECTS.flatMap((dialect) => [
    [`a reply that dribbles past the deadline, ${dialect}`, async () => {
      await using at = await rig(dialect, async (peer) => {
        await peer.write(answer(await peer.next()));
        await peer.write(answer(await peer.next()), { chunk: 1, every: 8 });
        for (;;) await peer.write(answer(await peer.next()));
      });
      await at.client.get("first");
      assert.ok((await outcome(at.client.get("k", { timeout: 60 }))).error instanceof TimeoutError);
      await at.assertRecovered();
      assert.equal(at.server.connections, 1, "the rest of it was skipped");
    }],

    [`an abort in the middle of a value, small and large, ${dialect}`, async () => {
      for (const value of ["v".repeat(100), LARGE]) {
        for (const sent of [20, 60, 17_000, 200_000].filter((count) => count < value.length)) {
          let half: (() => void) | undefined;
          const halfway = new Promise<void>((resolve) => half = resolve);
          let rest: (() => void) | undefined;
          const aborted = new Promise<void>((resolve) => rest = resolve);
          await using at = await rig(dialect, async (peer) => {
            const reply = hit(await peer.next(), value);
            await peer.write(reply.subarray(0, sent));
            half?.();
            await aborted;
            await peer.write(reply.subarray(sent));
            for (;;) await peer.write(answer(await peer.next()));
          });
          const controller = new AbortController();
          const call = outcome(at.client.get("k", { signal: controller.signal }));
          await halfway;
          await sleep(10);
          controller.abort();
          assert.equal((await call).error?.name, "AbortError");
          const next = at.client.get("next");
          rest?.();
          assert.equal(await next, valueOf("next"));
          assert.equal(at.server.connections, 1);
        }
      }
    }],

    [
      `a call that has waited for room for long does not end a connection that answers, ${dialect}`,
      async () => {
        await using at = await rig(dialect, async (peer) => {
          for (;;) {
            const command = await peer.next();
            setTimeout(() => void peer.write(answer(command)), 150);
          }
        }, { timeout: 500, maxPending: 8 });
        await at.client.get("warm", { timeout: 20_000 });
        const jobs = Array.from(
          { length: 80 },
          (_, i) => outcome(at.client.setMany([[`k${i}`, i]], { timeout: 1_600 })),
        );
        const lost: unknown[] = [];
        const busy = setInterval(() => {
          void outcome(at.client.increment("n", 1, { timeout: 20_000 })).then(({ error }) => {
            if (error instanceof ConnectionLostError) lost.push(error);
          });
        }, 110);
        const ends = await Promise.all(jobs);
        await sleep(300);
        clearInterval(busy);
        assert.ok(ends.some(({ error }) => error !== undefined), "some were overdue");
        assert.deepEqual(lost, []);
        assert.equal(at.server.connections, 1);
      },
    ],

    [`a reply twice the timeout overdue does not come any more, ${dialect}`, async () => {
      await using at = await rig(dialect, async (peer) => {
        await peer.write(answer(await peer.next()));
        for (;;) await peer.next();
      }, { timeout: 150 });
      assert.equal(await at.client.get("k", { timeout: 20_000 }), valueOf("k"));
      const start = performance.now();
      const first = outcome(at.client.get("a"));
      await sleep(200);
      assert.equal(at.server.open, 1, "not dropped by the first deadline");
      const waiting = [
        outcome(at.client.get("b", { timeout: 20_000 })),
        outcome(at.client.set("c", "v", { timeout: 20_000 })),
      ];
      assert.ok((await first).error instanceof TimeoutError);
      await until(() => at.server.peers[0]?.gone === true);
      const dropped = performance.now() - start;
      assert.ok(dropped >= 300 && dropped < 10_000, `dropped after ${dropped} ms`);
      const [get, set] = await Promise.all(waiting);
      // A call that may be repeated is, if it was not sent over another connection before.
      assert.equal(get?.value, valueOf("b"));
      assert.ok(set?.error instanceof ConnectionLostError, String(set?.error));
      assert.equal(set.error.ambiguous, true);
      await at.assertRecovered();
      assert.ok(at.server.connections <= 3, `${at.server.connections} connections`);
    }],
  ])),

  "a call that somebody still waits for keeps the connection, however old it is": async () => {
    await using at = await rig("meta", async (peer) => {
      const get = await peer.next();
      await sleep(400);
      await peer.write(answer(get));
    }, { timeout: 60 });
    assert.equal(await at.client.get("k", { timeout: 10_000 }), valueOf("k"));
    assert.equal(at.server.connections, 1);
  },

  "a signal that aborts before the call, in the same tick, and after its end": async () => {
    await using at = await rig("classic", async (peer) => {
      for (;;) await peer.write(answer(await peer.next()));
    });
    const reason = new Error("the caller's own reason");
    const { error } = await outcome(at.client.get("k", { signal: AbortSignal.abort(reason) }));
    assert.equal(error, reason);
    assert.equal(at.server.connections, 0, "nothing was sent");
    const controller = new AbortController();
    const { signal } = controller;
    assert.equal(await at.client.get("k", { signal }), valueOf("k"));
    const calls = [at.client.get("a", { signal }), at.client.set("b", "v", { signal })].map(
      outcome,
    );
    controller.abort(reason);
    for (const ended of await Promise.all(calls)) assert.equal(ended.error, reason);
    await at.assertRecovered();
    assert.equal(at.server.connections, 1);
  },

  "one signal for 1,000 calls, some of them done": async () => {
    await using at = await rig("meta", async (peer) => {
      for (let i = 0; i < 500; i++) await peer.write(answer(await peer.next()));
      await sleep(100);
      for (;;) await peer.write(answer(await peer.next()));
    });
    const controller = new AbortController();
    const { signal } = controller;
    const calls = Array.from(
      { length: 1_000 },
      (_, i) => outcome(at.client.get(`k${i}`, { signal })),
    );
    await calls[499];
    controller.abort();
    for (const [i, { value, error }] of (await Promise.all(calls)).entries()) {
      if (i < 500) assert.equal(value, valueOf(`k${i}`));
      else assert.equal(error?.name, "AbortError");
    }
    await at.assertRecovered();
    assert.equal(at.server.connections, 1);
  },
});

for (const [name, run] of cases) test(name, run);

/** A server that has stopped reading: calls past the bounds are refused at once, and memory stays flat. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Memcached, OverloadedError, ValueTooLargeError } from "../../mod.ts";
import { askChild } from "../support/child.ts";
import { borrowMemcached } from "../support/memcached.ts";
import { type Peer, startScriptedServer } from "../support/scripted_server.ts";
import { atBest } from "../support/at_best.ts";
import { together } from "../support/together.ts";
import { behaviour } from "./behaviours.ts";
import type { Flooded } from "./flood.ts";
import {
  answer,
  behave,
  type Dialect,
  DIALECTS,
  outcome,
  outcomeAtOnce,
  PATIENT,
  rig,
  valueOf,
} from "./rig.ts";

const STALLED = behaviour("stalled, 100k x 1 KB sets");
const FLOOD = new URL("./flood.ts", import.meta.url);
// maxPendingBytes for the silent connection, whose memory is not collected yet, and for its replacement.
const MAX_BUFFERS = 33.6 * 2;

/** A server that answers once, then reads no more, on any connection. */
async function stall(peer: Peer): Promise<void> {
  if (peer.index === 0) await peer.write(answer(await peer.next()));
  peer.pause();
}

async function flood(
  dialect: Dialect,
  calls: number,
  perTick: number,
  bytes: number,
): Promise<Flooded> {
  await using server = await startScriptedServer(stall, { dialect });
  const args = [server.address, dialect, calls, perTick, bytes].map(String);
  return await askChild<Flooded>(FLOOD, { args, heapMegabytes: 200 });
}

/** Asserts that every call has ended, those past the bounds with OverloadedError. */
function assertBounded({ ends, grown, buffers, next }: Flooded, calls: number, most: number): void {
  const { OVERLOADED = 0, TIMEOUT = 0, CONNECTION_LOST = 0, SERVER_DOWN = 0, ...others } = ends;
  assert.deepEqual(others, {});
  assert.equal(OVERLOADED + TIMEOUT + CONNECTION_LOST + SERVER_DOWN, calls);
  // As many calls as may be in flight on the silent connection, and on its replacement.
  assert.ok(TIMEOUT + CONNECTION_LOST <= 2 * 16_384, JSON.stringify(ends));
  assert.ok(grown < most, `${grown} MB more`);
  assert.ok(buffers < MAX_BUFFERS, `${buffers} MB of buffers`);
  assert.match(next, /^(SERVER_DOWN|TIMEOUT|CONNECTION_LOST)$/);
}

const cases = together({
  // Until their handlers run, the errors of the refused calls take memory.
  [`${STALLED}, in one tick`]: () =>
    atBest(async () => assertBounded(await flood("meta", 100_000, 100_000, 1_024), 100_000, 260)),
  [`${STALLED}, in 2,000 ticks`]: () =>
    atBest(async () => assertBounded(await flood("classic", 100_000, 50, 1_024), 100_000, 180)),
  "20,000 writes of 1.5 KB, each in a tick of its own": () =>
    atBest(async () => assertBounded(await flood("meta", 20_000, 1, 1_500), 20_000, 140)),

  ...Object.fromEntries(
    DIALECTS.map((dialect) => [`the bounds to the request, ${dialect}`, async () => {
      await using at = await rig(dialect, async (peer) => {
        const commands = [];
        for (let i = 0; i < 10; i++) commands.push(await peer.next());
        await peer.write(answer(commands.shift() as typeof commands[0]));
        for (const command of commands) await peer.write(answer(command));
        await behave(peer);
      }, { maxPending: 10 });
      const { client } = at;
      const calls = Array.from(
        { length: 10 },
        (_, i) => outcome(i % 2 ? client.touch("k", 1) : client.set("k", "v")),
      );
      for (const call of [client.get("k"), client.set("k", "v"), client.increment("k")]) {
        const { error } = await outcomeAtOnce(call);
        assert.ok(error instanceof OverloadedError, String(error));
        assert.equal(error.ambiguous, false, "nothing was sent");
        assert.match(error.message, /: maxPending allows 10 requests without an answer; /);
        assert.equal(error.server?.address, at.server.address);
      }
      for (const { error } of await Promise.all(calls)) {
        assert.equal(error, undefined);
      }
      await at.assertRecovered();
      assert.equal(at.server.connections, 1);
    }]),
  ),

  "the bound of bytes, and a single call that is past it": async () => {
    await using at = await rig("meta", behave, { maxPendingBytes: 1_000 });
    const { client } = at;
    const two = [
      outcome(client.set("k", "v".repeat(600))),
      outcome(client.set("k", "v".repeat(600))),
    ];
    const [first, second] = await Promise.all(two);
    assert.equal(first?.error, undefined);
    assert.ok(second?.error instanceof OverloadedError);
    const words = ": maxPendingBytes allows 1000 bytes of requests without an answer; send fewer";
    assert.ok(second.error.message.includes(words), second.error.message);
    const { error } = await outcome(client.set("k", "v".repeat(2_000)));
    assert.ok(error instanceof ValueTooLargeError, String(error));
    assert.match(error.message, /maxPendingBytes.*nothing was sent/);
    await client.set("k", "v".repeat(600));
  },

  "calls for which nobody waits any more still count": async () => {
    await using at = await rig("classic", async (peer) => {
      for (;;) await peer.next();
    }, { maxPending: 4, timeout: 5_000 });
    const { client } = at;
    const signal = AbortSignal.timeout(30);
    const calls = Array.from({ length: 4 }, () => outcome(client.set("k", "v", { signal })));
    for (const { error } of await Promise.all(calls)) assert.equal(error?.name, "TimeoutError");
    assert.ok((await outcome(client.set("k", "v"))).error instanceof OverloadedError);
  },

  "calls for many keys go in portions": async () => {
    await using servers = await borrowMemcached();
    for (const protocol of DIALECTS) {
      const options = {
        protocol,
        maxPending: 16,
        maxPendingBytes: 4_000,
        ...PATIENT,
        prefix: `portions-${protocol}-`,
      };
      await using client = new Memcached(servers.addresses as string[], options);
      const keys = Array.from({ length: 1_000 }, (_, i) => `k${i}`);
      await client.setMany(keys.map((key) => [key, valueOf(key)]));
      const found = await client.getMany(keys);
      assert.deepEqual(found, new Map(keys.map((key) => [key, valueOf(key)])));
      const deleted = await client.deleteMany(keys);
      assert.ok(deleted.size === 1_000 && [...deleted.values()].every(Boolean));
    }
  },

  "a server that reads again gets everything that was accepted": async () => {
    let resume: (() => void) | undefined;
    const seen: string[] = [];
    await using server = await startScriptedServer(async (peer) => {
      resume = () => peer.resume();
      for (;;) {
        const command = await peer.next();
        seen.push(command.key);
        await peer.write(answer(command));
        if (seen.length === 1) peer.pause();
      }
    });
    await using client = new Memcached(server.address, { ...PATIENT, protocol: "classic" });
    await client.get("first");
    const value = "v".repeat(10_000);
    const calls = Array.from({ length: 3_000 }, (_, i) => client.set(`k${i}`, value));
    setTimeout(() => resume?.(), 100);
    await Promise.all(calls);
    assert.deepEqual(seen.slice(-3_000), Array.from({ length: 3_000 }, (_, i) => `k${i}`));
  },
});

for (const [name, run] of cases) test(name, run);

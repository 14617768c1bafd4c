/** Behaviours with replies that are cut, spoiled, late or lost. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  ConnectionLostError,
  Memcached,
  type MemcachedError,
  ProtocolError,
  ServerError,
  TimeoutError,
} from "../../mod.ts";
import { type Fault, startProxy } from "../support/fault_proxy.ts";
import { hit, miss } from "../support/replies.ts";
import type { Peer, Script } from "../support/scripted_server.ts";
import { together } from "../support/together.ts";
import { behaviour, Real, real } from "./behaviours.ts";
import { answer, behave, type Dialect, DIALECTS, outcome, PATIENT, rig, valueOf } from "./rig.ts";

/** A real memcached behind a proxy that spoils replies. */
async function proxied(dialect: Dialect): Promise<Real & { spoil(fault: Fault): void }> {
  const at = await real(dialect);
  const proxy = await startProxy(at.server);
  await at.client.close();
  const client = new Memcached(proxy.address, { ...PATIENT, protocol: dialect });
  const stop = async (): Promise<void> => {
    await client.close();
    await proxy.stop();
    await at.server.stop();
  };
  return Object.assign(new Real(at.server, client), {
    spoil: (fault: Fault) => proxy.spoil(fault),
    [Symbol.asyncDispose]: stop,
  });
}

/** Answers the first command with `reply`, and the others correctly. */
function once(reply: string): Script {
  return async (peer: Peer): Promise<void> => {
    await peer.next();
    await peer.write(reply);
    await behave(peer);
  };
}

const ENDS = {
  FIN: (peer: Peer): void => peer.end(),
  RST: (peer: Peer): Promise<void> => peer.reset(),
} as const;

for (const dialect of DIALECTS) {
  describe(`replies, ${dialect}`, () => {
    test(behaviour("1-byte segments", dialect), async () => {
      await using at = await proxied(dialect);
      const large = "0123456789".repeat(5_000);
      await at.client.setMany([["a", "A"], ["b", "B\r\nEND\r\n"], ["large", large]]);
      at.spoil({ at: 0, by: { split: 1 } });
      assert.deepEqual(
        await Promise.all([
          at.client.get("a"),
          at.client.set("c", "C"),
          at.client.getMany(["a", "b", "absent"]),
          at.client.getItem("b").then((item) => item?.value),
          at.client.increment("absent"),
          at.client.delete("a"),
          at.client.get("a"),
        ]),
        [
          "A",
          undefined,
          new Map([["a", "A"], ["b", "B\r\nEND\r\n"]]),
          "B\r\nEND\r\n",
          undefined,
          true,
          undefined,
        ],
      );
      at.spoil({ at: 0, by: { split: 1_000 } });
      assert.ok(await at.client.get("large") === large);
    });

    test(behaviour("300 coalesced replies", dialect), async () => {
      await using at = await rig(dialect, async (peer) => {
        const replies: Uint8Array[] = [];
        while (replies.length < 300) replies.push(answer(await peer.next()));
        await peer.write(new Uint8Array(replies.flatMap((reply) => [...reply])));
        await behave(peer);
      });
      const calls = Array.from({ length: 300 }, (_, i) => {
        const key = `k${i}`;
        return [
          at.client.getItem(key).then((item) => item?.value),
          at.client.has(key),
          at.client.increment(key),
        ][i % 3];
      });
      const right = (i: number): unknown => [valueOf(`k${i}`), true, 5n][i % 3];
      for (const [i, value] of (await Promise.all(calls)).entries()) {
        assert.deepEqual(value, right(i));
      }
    });

    test(behaviour("garbage reply", dialect), async () => {
      for (const call of [(m: Memcached) => m.get("k"), (m: Memcached) => m.set("k", "v")]) {
        await using at = await rig(dialect, once("\x00garbage\r\n"));
        const { error, ms } = await outcome(call(at.client));
        assert.ok(error instanceof ProtocolError, String(error));
        assert.ok(ms < 10_000);
        await at.assertRecovered();
        assert.equal(at.server.connections, 2);
      }
    });

    test(behaviour("SERVER_ERROR out of memory", dialect), async () => {
      await using at = await rig(dialect, once("SERVER_ERROR out of memory storing object\r\n"));
      const { error } = await outcome(at.client.set("k", "v"));
      assert.ok(error instanceof ServerError);
      await at.assertRecovered();
      assert.equal(at.server.connections, 1);
    });

    test(behaviour("ERROR reply", dialect), async () => {
      await using at = await rig(dialect, once("ERROR\r\n"));
      assert.ok((await outcome(at.client.get("k"))).error instanceof ProtocolError);
      await at.assertRecovered();
    });

    test(behaviour("reply for another key", dialect), async () => {
      await using at = await rig(dialect, async (peer) => {
        const get = await peer.next();
        // In meta a reply does not name its key; the opaque tells whose it is.
        const theirs = {
          ...get,
          key: "theirs",
          args: get.args.map((arg) => arg.replace(/^O.*/, "O999")),
        };
        await peer.write(hit(theirs, "their value"));
        await behave(peer);
      });
      assert.ok((await outcome(at.client.get("mine"))).error instanceof ProtocolError);
      await at.assertRecovered();
      assert.equal(at.server.connections, 2);
    });

    for (const [name, end] of Object.entries(ENDS) as [keyof typeof ENDS, typeof ENDS.FIN][]) {
      test(behaviour(`${name} after half a value`, dialect), async () => {
        for (const size of [400, 40_000]) {
          await using at = await rig(dialect, async (peer) => {
            const get = await peer.next();
            const reply = hit(get, "A".repeat(size));
            await peer.write(reply.subarray(0, reply.length >> 1));
            await sleep(5); // or a RST could overtake it
            await end(peer);
          });
          const [a, b] = await Promise.all([
            outcome(at.client.get("A")),
            sleep(1).then(() => outcome(at.client.get("B"))),
          ]);
          assert.ok(a.error instanceof ConnectionLostError, String(a.error ?? a.value));
          assert.equal(b.value, valueOf("B"));
          assert.equal(await at.client.get("A"), valueOf("A"));
          await at.assertRecovered();
        }
      });

      test(behaviour(`${name}, 5 pending`, dialect), async () => {
        await using at = await rig(dialect, async (peer) => {
          for (let i = 0; i < 5; i++) await peer.next();
          await end(peer);
        });
        const calls = [
          at.client.set("a", "v"),
          at.client.increment("b"),
          at.client.add("c", "v"),
          at.client.append("d", "v"),
          at.client.set("e", "v"),
        ];
        for (const { error, ms } of await Promise.all(calls.map(outcome))) {
          assert.ok(error instanceof ConnectionLostError && error.ambiguous, String(error));
          assert.ok(ms < 10_000);
        }
        await at.assertRecovered();
      });
    }

    test(behaviour("incr applied, reply lost", dialect), async () => {
      for (const by of ["end", "reset"] as const) {
        await using at = await proxied(dialect);
        await at.client.set("n", 10);
        at.spoil({ at: 0, by });
        const { error } = await outcome(at.client.increment("n"));
        assert.ok(error instanceof ConnectionLostError && error.ambiguous);
        assert.equal(await at.client.get("n"), 11, "once");
      }
    });

    test(behaviour("op in the tick the server closes", dialect), async () => {
      for (let turns = 0; turns < 20; turns++) {
        let closed: () => void = () => {};
        const now = new Promise<void>((resolve) => closed = resolve);
        await using at = await rig(dialect, async (peer) => {
          await peer.write(answer(await peer.next()));
          peer.end();
          closed();
        });
        await at.client.get("first");
        await now;
        for (let i = 0; i < turns; i++) await Promise.resolve();
        const [get, set] = await Promise.all([
          outcome(at.client.get("k")),
          outcome(at.client.set("k", "v")),
        ]);
        assert.equal(get.value, valueOf("k"), "a hit is not shown as a miss");
        assert.ok(set.error === undefined || (set.error as MemcachedError).ambiguous);
        assert.ok(get.ms < 10_000 && set.ms < 10_000, "prompt");
      }
    });
  });
}

// These tests wait for deadlines.
const slow = together(Object.assign(
  {},
  ...DIALECTS.map((dialect) => ({
    [behaviour("1 byte per 250 ms, timeout 1 s", dialect)]: async (): Promise<void> => {
      await using at = await rig(dialect, async (peer) => {
        await peer.write(answer(await peer.next()));
        await peer.write(hit(await peer.next(), "v".repeat(1_000)), { chunk: 1, every: 250 });
      }, { timeout: 1_000 });
      await at.client.get("first", { timeout: PATIENT.timeout });
      const { error, ms } = await outcome(at.client.get("k"));
      assert.ok(error instanceof TimeoutError, String(error));
      assert.ok(ms >= 1_000 && ms < 5_000, `${ms} ms`);
      // After twice the timeout the dribbling connection is replaced.
      assert.equal(await at.client.get("next", { timeout: PATIENT.timeout }), valueOf("next"));
      assert.equal(at.server.connections, 2);
    },

    [behaviour("late reply to A after timeout; B", dialect)]: async (): Promise<void> => {
      await using at = await rig(dialect, async (peer) => {
        await peer.write(answer(await peer.next()));
        const a = await peer.next();
        await peer.next().then(async (b) => {
          await peer.write(hit(a, "the value of A, late"));
          await sleep(30);
          await peer.write(miss(b));
        });
        await behave(peer);
      }, { timeout: 5_000 });
      await at.client.get("first");
      assert.ok(
        (await outcome(at.client.get("A", { timeout: 100 }))).error instanceof TimeoutError,
      );
      assert.equal(await at.client.get("B"), undefined, "its own miss, not A's value");
      await at.assertRecovered();
      assert.equal(at.server.connections, 1);
    },
  })),
));
for (const [name, run] of slow) test(name, run);

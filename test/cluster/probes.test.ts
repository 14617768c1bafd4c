/** Probes: when they are sent, that no call waits for them, and that they stop. */
import assert from "node:assert/strict";
import { channel } from "node:diagnostics_channel";
import { createServer } from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ConnectionLostError, Memcached, ServerDownError } from "../../mod.ts";
import type { ConnectionMessage, ServerMessage } from "../../src/messages.ts";
import { behave, outcome, outcomeAtOnce, PATIENT, valueOf } from "../faults/rig.ts";
import { startMemcached } from "../support/memcached.ts";
import { startScriptedServer } from "../support/scripted_server.ts";
import { together } from "../support/together.ts";
import { until } from "../support/until.ts";
import { atBest } from "../support/at_best.ts";

/** A server that closes each connection at once, and notes when they arrived. */
async function closing(): Promise<{ address: string; times: number[]; stop(): Promise<void> }> {
  const times: number[] = [];
  const listener = createServer((socket) => {
    times.push(performance.now());
    socket.on("error", () => {});
    socket.destroy();
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as { port: number };
  const stop = (): Promise<void> => new Promise((resolve) => listener.close(() => resolve()));
  return { address: `127.0.0.1:${port}`, times, stop };
}

const cases = together({
  "100 ms after the fall, then 200, 400, 800, each give or take a fifth": () =>
    atBest(async () => {
      const server = await closing();
      const client = new Memcached(server.address, PATIENT);
      try {
        assert.ok((await outcome(client.get("k"))).error instanceof ServerDownError);
        await until(() => server.times.length >= 5);
        const gaps = server.times.slice(1).map((time, i) => time - (server.times[i] as number));
        for (const [i, base] of [100, 200, 400, 800].entries()) {
          const gap = gaps[i] as number;
          // The server notes a probe when it gets to it, which may be late.
          assert.ok(gap >= base * 0.8 - 50 && gap <= base * 1.2 + 250, `${base}: ${gap} ms`);
        }
      } finally {
        await client.close();
        await server.stop();
      }
    }),

  "calls in between neither wait for a probe nor bring one on": async () => {
    const server = await closing();
    const client = new Memcached(server.address, PATIENT);
    try {
      await outcome(client.get("k"));
      const end = performance.now() + 500;
      let calls = 0;
      while (performance.now() < end) {
        const call = calls++ % 2 ? client.get("k") : client.set("k", "v");
        const { error } = await outcomeAtOnce(call);
        assert.ok(error instanceof ServerDownError && !error.ambiguous);
        if (calls % 100 === 0) await sleep(1);
      }
      assert.ok(calls > 10, `${calls} calls`);
      assert.ok(server.times.length <= 4, `${server.times.length} connections in half a second`);
    } finally {
      await client.close();
      await server.stop();
    }
  },

  "one at a time, however long it hangs": async () => {
    await using server = await startScriptedServer(() => {}, { dialect: "none" });
    await using client = new Memcached(server.address, { timeout: 20_000, connectTimeout: 300 });
    assert.ok((await outcome(client.get("k"))).error instanceof ServerDownError);
    for (let i = 0; i < 30; i++) {
      assert.ok(server.open <= 1, `${server.open} open at once`);
      await sleep(30);
    }
    assert.ok(server.connections >= 2, "and it did look");
  },

  "after a success the next fall begins again at 100 ms": async () => {
    await using server = await startMemcached();
    const opened: number[] = [];
    let down = 0;
    const hear = (message: unknown): void => {
      const { server: ref, event, state } = message as ConnectionMessage & ServerMessage;
      if (ref.address !== server.address) return;
      if (event === "open") opened.push(performance.now());
      if (state === "down") down = performance.now();
    };
    channel("memwire:connection").subscribe(hear);
    channel("memwire:server").subscribe(hear);
    try {
      await using client = new Memcached(server.address, PATIENT);
      const fails = async (): Promise<boolean> =>
        (await outcome(client.get("k"))).error !== undefined;
      await client.get("k");
      await server.kill();
      await until(fails);
      opened.length = 0;
      await until(() => opened.length === 3); // the next is 800 ms away
      await server.restart();
      await until(async () => !await fails());
      down = 0;
      await server.kill();
      await until(async () => await fails() && down > 0);
      await until(() => (opened.at(-1) as number) > down);
      const gap = (opened.at(-1) as number) - down;
      assert.ok(gap >= 75 && gap < 600, `${gap} ms`);
    } finally {
      channel("memwire:connection").unsubscribe(hear);
      channel("memwire:server").unsubscribe(hear);
    }
  },

  "none after close(), nor for a server that has left the list": async () => {
    const left = await closing();
    const closed = await closing();
    await using other = await startScriptedServer(behave);
    const client = new Memcached(closed.address, PATIENT);
    const list = new Memcached(left.address, PATIENT);
    try {
      await Promise.all([outcome(client.get("k")), outcome(list.get("k"))]);
      await Promise.all([until(() => left.times.length > 1), until(() => closed.times.length > 1)]);
      list.setServers(other.address);
      await client.close();
      const before = [left.times.length, closed.times.length];
      assert.equal(await list.get("k"), valueOf("k"));
      await sleep(700);
      assert.deepEqual([left.times.length, closed.times.length], before);
    } finally {
      await list.close();
      await left.stop();
      await closed.stop();
    }
  },

  "close() while a probe hangs does not wait for it": async () => {
    await using server = await startScriptedServer(() => {}, { dialect: "none" });
    const client = new Memcached(server.address, { timeout: 200, connectTimeout: 5_000 });
    await outcome(client.get("k"));
    const start = performance.now();
    await client.close();
    assert.ok(performance.now() - start < 4_000);
    await until(() => server.open === 0);
  },

  "a server that closes on every command: calls fail typed, and no connection is made unasked":
    async () => {
      await using server = await startScriptedServer(async (peer) => {
        await peer.next();
        peer.end();
      });
      await using client = new Memcached(server.address, PATIENT);
      for (let i = 0; i < 5; i++) {
        const { error } = await outcome(client.set("k", "v"));
        assert.ok(error instanceof ConnectionLostError, String(error));
        assert.equal(error.ambiguous, true);
      }
      for (let i = 0; i < 7; i++) {
        const { error } = await outcome(i % 2 ? client.get("k") : client.set("k", "v"));
        assert.ok(error instanceof ServerDownError && !error.ambiguous, String(error));
      }
      assert.equal(server.connections, 5);
      // The probe's connection is through the handshake and stays.
      await until(() => server.connections === 6);
      await sleep(400);
      assert.equal(server.connections, 6);
    },
});

for (const [name, run] of cases) test(name, run);

/**
 * Silence: no server is judged by one connection. A stuck connection is replaced, reads go around it meanwhile,
 * and a server counts as down only if it is silent on the next connection too.
 */
import assert from "node:assert/strict";
import { channel } from "node:diagnostics_channel";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ConnectionLostError, Memcached, ServerDownError, TimeoutError } from "../../mod.ts";
import type { ServerMessage } from "../../src/messages.ts";
import { answer, DIALECTS, outcome, outcomeAtOnce, valueOf } from "../faults/rig.ts";
import { type Peer, startScriptedServer } from "../support/scripted_server.ts";
import { type Case, together } from "../support/together.ts";
import { until } from "../support/until.ts";
import { atBest } from "../support/at_best.ts";

/** Answers correctly until it is asked about a key that begins with "stuck"; then it says nothing more. */
async function getStuck(peer: Peer): Promise<void> {
  for (;;) {
    const command = await peer.next();
    if (command.key.startsWith("stuck")) break;
    await peer.write(answer(command));
  }
  for (;;) await peer.next();
}

/** Counts how often a server was said to be down. */
class Downs implements Disposable {
  count = 0;
  readonly #hear: (message: unknown) => void;

  constructor(address: string) {
    this.#hear = (message) => {
      const { server, state } = message as ServerMessage;
      if (server.address === address && state === "down") this.count++;
    };
    channel("memwire:server").subscribe(this.#hear);
  }

  [Symbol.dispose](): void {
    channel("memwire:server").unsubscribe(this.#hear);
  }
}

/** These tests mostly wait, so all run at the same time. */
const cases: Record<string, Case> = {};

function inGroup(group: string, define: (test: (name: string, run: Case) => void) => void): void {
  define((name, run) => void (cases[`${group}: ${name}`] = () => atBest(run)));
}

inGroup("a proxy that answers in order, and one key whose reply never comes", (test) => {
  for (const dialect of DIALECTS) {
    test(`reads behind it get their values in time, writes are ambiguous, ${dialect}`, async () => {
      await using server = await startScriptedServer(getStuck, { dialect });
      await using client = new Memcached(server.address, { timeout: 3_000 });
      using downs = new Downs(server.address);
      await client.get("warm");
      const stuck = outcome(client.get("stuck"));
      const reads = Array.from({ length: 30 }, (_, i) => outcome(client.get(`key-${i}`)));
      const many = outcome(client.getMany(["a", "b", "c"]));
      const item = outcome(client.getItem("d"));
      const has = outcome(client.has("e"));
      const patient = outcome(client.set("w", "v", { timeout: 20_000 }));
      for (const [i, { value, error }] of (await Promise.all(reads)).entries()) {
        assert.equal(value, valueOf(`key-${i}`), String(error));
      }
      assert.equal((await many).value instanceof Map, true);
      assert.equal(((await item).value as { value: unknown }).value, valueOf("d"));
      assert.equal((await has).value, true);
      assert.equal(server.peers[0]?.gone, false, "not given up yet");
      assert.ok((await stuck).error instanceof TimeoutError);
      // The connection is closed, and with it calls that must not be sent twice fail.
      const { error } = await patient;
      assert.ok(error instanceof ConnectionLostError && error.ambiguous, String(error));
      assert.equal(await client.get("next"), valueOf("next"));
      await client.set("next", "v");
      assert.equal(downs.count, 0);
    });
  }

  test("one such key in 21, over and over: all others succeed", async () => {
    await using server = await startScriptedServer(getStuck, { dialect: "classic" });
    await using client = new Memcached(server.address, { timeout: 1_000 });
    using downs = new Downs(server.address);
    let good = 0;
    const bad: unknown[] = [];
    await Promise.all(Array.from({ length: 10 }, async (_, worker) => {
      for (let i = worker; i < 400; i += 10) {
        const key = i % 21 === 5 ? `stuck-${i}` : `key-${i}`;
        const { value, error } = await outcome(client.get(key));
        if (key.startsWith("stuck")) assert.ok(error instanceof TimeoutError, String(error));
        else if (value === valueOf(key)) good++;
        else bad.push(error);
        await sleep(1);
      }
    }));
    assert.ok(good > 300 && bad.length <= good / 100, `${good} good, bad: ${bad.join()}`);
    assert.equal(downs.count, 0);
  });

  test("no more than a few connections, and they go when it is over", async () => {
    await using server = await startScriptedServer(getStuck, { dialect: "classic" });
    await using client = new Memcached(server.address, { timeout: 300 });
    let over = false;
    void outcome(client.get("stuck")).then(() => over = true);
    let most = 0;
    for (let i = 0; !over; i++) {
      void outcome(client.get(`key-${i}`));
      if (i % 10 === 0) await sleep(20);
      most = Math.max(most, server.open);
    }
    assert.ok(most > 1 && most <= 10, `${most} open`);
    await until(async () => {
      await outcome(client.set("k", "v"));
      return server.open === 1;
    });
    await client.set("k", "v");
  });

  test("close() does not wait for lanes", async () => {
    await using server = await startScriptedServer(getStuck, { dialect: "classic" });
    const client = new Memcached(server.address, { timeout: 300 });
    const calls = ["stuck", "a", "stuck-2", "b"].map((key) => outcome(client.get(key)));
    await sleep(120);
    await client.close();
    await Promise.all(calls);
    await until(() => server.open === 0);
  });
});

inGroup("a server that is silent on the next connection too", (test) => {
  const scripts: Readonly<
    Record<string, [script: (peer: Peer) => Promise<void>, answers: string]>
  > = {
    "does not answer the handshake": [async (peer) => {
      if (peer.index > 0) { for (;;) await peer.next(); }
      await peer.write("VERSION 1.6.18\r\n");
      await peer.next();
      await peer.write("MN\r\n");
      await peer.write(answer(await peer.next()));
      for (;;) await peer.next();
    }, "none"],
    "answers the handshake and no command": [async (peer) => {
      if (peer.index === 0) await peer.write(answer(await peer.next()));
      for (;;) await peer.next();
    }, "meta"],
    "answers the handshake and no command, classic": [async (peer) => {
      if (peer.index === 0) await peer.write(answer(await peer.next()));
      for (;;) await peer.next();
    }, "classic"],
  };
  for (const [what, [script, dialect]] of Object.entries(scripts)) {
    test(`${what}: down, and each connection had its chance`, async () => {
      await using server = await startScriptedServer(async (peer) => {
        if (dialect === "none") await peer.next();
        await script(peer);
      }, { dialect: dialect as "none" });
      await using client = new Memcached(server.address, { timeout: 100, connectTimeout: 150 });
      await client.get("warm");
      const start = performance.now();
      const reads = await Promise.all(["a", "b", "c"].map((key) => outcome(client.get(key))));
      for (const { error } of reads) assert.ok(error instanceof TimeoutError, String(error));
      await until(async () => (await outcome(client.get("d"))).error instanceof ServerDownError);
      const took = performance.now() - start;
      assert.ok(took > 150 && took < 10_000, `${took} ms`);
      const write = await outcomeAtOnce(client.set("e", "v"));
      assert.ok(write.error instanceof ServerDownError && !write.error.ambiguous);
    });
  }

  test("on trial after a probe, it is down again at once, and for longer", async () => {
    let silent = false;
    const times: number[] = [];
    await using server = await startScriptedServer(async (peer) => {
      times.push(performance.now());
      for (;;) {
        const command = await peer.next();
        if (!silent) await peer.write(answer(command));
      }
    });
    await using client = new Memcached(server.address, { timeout: 60, connectTimeout: 100 });
    await client.get("warm");
    silent = true;
    const end = performance.now() + 3_000;
    while (performance.now() < end) {
      await outcome(client.get("k"));
      await sleep(1);
    }
    // Two connections that fall silent, lanes, then probes after 100, 200, 400 ms and so on, each ended by a call.
    assert.ok(times.length < 30, `${times.length} connections in 3 s`);
    silent = false;
    await until(async () => (await outcome(client.get("k"))).value === valueOf("k"), 8_000);
  });
});

for (const [name, run] of together(cases)) test(name, run);

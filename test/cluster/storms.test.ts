/** Connections that die before they have answered a command, one after the other. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ConnectionLostError, Memcached, ServerDownError } from "../../mod.ts";
import { answer, behave, outcome, valueOf } from "../faults/rig.ts";
import { type Peer, startScriptedServer } from "../support/scripted_server.ts";
import { until } from "../support/until.ts";

describe("connections that die at their first command", () => {
  const storms: Readonly<Record<string, (peer: Peer) => Promise<void>>> = {
    FIN: async (peer) => {
      await peer.next();
      peer.end();
    },
    RST: async (peer) => {
      await peer.next();
      await peer.reset();
    },
    garbage: async (peer) => {
      await peer.next();
      await peer.write("?\r\n");
    },
  };
  for (const [how, script] of Object.entries(storms)) {
    test(`by ${how}: down, with the same back-off, until a command is answered`, async () => {
      let well = false;
      const times: number[] = [];
      await using server = await startScriptedServer(async (peer) => {
        times.push(performance.now());
        if (well) await behave(peer);
        await script(peer);
      });
      await using client = new Memcached(server.address, { timeout: 2_000 });
      const end = performance.now() + 1_000;
      let calls = 0;
      while (performance.now() < end) {
        const { error } = await outcome(calls++ % 2 ? client.get("k") : client.set("k", "v"));
        assert.ok(error !== undefined);
        if (calls % 5 === 0) await sleep(1);
      }
      // Five in a row, then one each after 100, 200 and 400 ms, within a fifth.
      assert.ok(times.length >= 6 && times.length <= 9, `${times.length} connections in 1 s`);
      assert.ok((await outcome(client.get("k"))).error instanceof ServerDownError);
      well = true;
      await until(async () => (await outcome(client.get("k"))).value === valueOf("k"), 4_000);
      // A command was answered, so the server is trusted again.
      well = false;
      for (const peer of server.peers) peer.destroy();
      const { error } = await outcome(client.set("k", "v"));
      assert.ok(error instanceof ConnectionLostError, String(error));
    });
  }

  test("after one certain command only: no other call is refused", async () => {
    // As twemproxy does after a command that it does not know.
    await using server = await startScriptedServer(async (peer) => {
      for (;;) {
        const command = await peer.next();
        if (command.key === "poison") return peer.end();
        await peer.write(answer(command));
      }
    });
    await using client = new Memcached(server.address, { timeout: 2_000 });
    for (let i = 0; i < 20; i++) {
      assert.ok((await outcome(client.get("poison"))).error instanceof ConnectionLostError);
      assert.equal(await client.get(`key-${i}`), valueOf(`key-${i}`));
    }
  });
});

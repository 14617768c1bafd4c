/** Flags of a memcached that was built for 64 bits are exact or refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CorruptValueError, Memcached, SessionStore } from "../../mod.ts";
import { done, hit } from "../support/replies.ts";
import { startScriptedServer } from "../support/scripted_server.ts";
import { DIALECTS, PATIENT } from "./rig.ts";

// Each of these equals one of ours if only its lower 32 bits count, or if it is rounded.
const FLAGS = [2n ** 32n, 2n ** 32n + 8n, 2n ** 32n + 16n, 2n ** 32n + 256n, 2n ** 33n + 65_536n];
const INEXACT = [2n ** 53n, 2n ** 53n + 16n, 2n ** 64n - 1n];

for (const protocol of DIALECTS) {
  test(`flags of more than 32 bits are not taken for other flags, ${protocol}`, async () => {
    let flags = 0n;
    await using server = await startScriptedServer(async (peer) => {
      for (;;) {
        const command = await peer.next();
        if (command.name === "touch") {
          await peer.write(done(command));
          continue;
        }
        const reply = hit(command, "x", { flags: 77 }).toString("latin1");
        const own = command.name === "mg" ? ` f${flags} ` : ` ${flags} `;
        await peer.write(reply.replace(command.name === "mg" ? " f77 " : " 77 ", own));
      }
    }, { dialect: protocol });
    await using client = new Memcached(server.address, { ...PATIENT, protocol });
    const seen: number[] = [];
    await using own = new Memcached(server.address, {
      ...PATIENT,
      protocol,
      serializer: {
        serialize: () => ({ data: new Uint8Array(0), flags: 0 }),
        deserialize: (_, flags) => seen.push(flags),
      },
    });
    await using store = new SessionStore({ client, namespace: "" });
    for (flags of [...FLAGS, ...INEXACT, 2n ** 32n + 256n + 512n, 2n ** 32n + 256n + 2048n]) {
      const exact = flags < 2n ** 53n;
      for (const read of [client.get("k"), client.getItem("k"), client.getAndTouch("k", 0)]) {
        await assert.rejects(read, (error) => {
          assert.ok(error instanceof CorruptValueError, String(error));
          assert.match(error.message, exact ? /flags \d+ are not known/ : /2\^53/);
          return !exact || BigInt(error.flags) === flags;
        });
      }
      assert.equal(await client.has("k"), true);
      await assert.rejects(store.get("k"), CorruptValueError);
      if (exact) {
        await own.get("k");
        assert.deepEqual(seen.map(BigInt), [flags]);
        seen.length = 0;
      } else {
        await assert.rejects(own.get("k"), CorruptValueError);
        assert.deepEqual(seen, []);
      }
    }
  });
}

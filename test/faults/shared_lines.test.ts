/** Gets that share a line of the classic dialect: what happens to one does not affect the others. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ConnectionLostError, Memcached, ProtocolError, TimeoutError } from "../../mod.ts";
import { hit } from "../support/replies.ts";
import { type Command, type Peer, startScriptedServer } from "../support/scripted_server.ts";
import { answer, behave, type Outcome, outcome, PATIENT, Rig, valueOf } from "./rig.ts";

const KEYS = ["a", "bb", "ccc"];

/** A client that is connected and whose gets share lines, and a server that does `fault` on the first line. */
async function sharing(fault: (peer: Peer, line: Command) => void | Promise<void>): Promise<Rig> {
  const server = await startScriptedServer(async (peer) => {
    if (peer.index === 0) {
      await peer.write(answer(await peer.next()));
      const line = await peer.next();
      assert.equal(line.line, `get ${KEYS.join(" ")}`, "they share a line");
      await fault(peer, line);
    }
    await behave(peer);
  }, { dialect: "classic" });
  const rig = new Rig(server, new Memcached(server.address, { ...PATIENT, protocol: "classic" }));
  await rig.client.get("warm");
  return rig;
}

function values(line: Command, keys: readonly string[], end = "END\r\n"): Buffer {
  const parts = keys.map((key) => {
    const whole = hit({ ...line, key }, valueOf(key));
    return whole.subarray(0, whole.length - "END\r\n".length);
  });
  return Buffer.concat([...parts, Buffer.from(end)]);
}

function gets(client: Memcached): Promise<Outcome[]> {
  return Promise.all(KEYS.map((key) => outcome(client.get(key))));
}

const LENGTH = values({ name: "get" } as Command, KEYS).length;

describe("gets that share a line", () => {
  for (const by of ["FIN", "RST"] as const) {
    test(`a ${by} at every byte: each has its own value, or is lost, and none is a miss`, async () => {
      const cut = async (at: number): Promise<void> => {
        await using rig = await sharing(async (peer, line) => {
          await peer.write(values(line, KEYS).subarray(0, at));
          if (by === "FIN") peer.end();
          else await peer.reset();
        });
        for (const [i, { value, error }] of (await gets(rig.client)).entries()) {
          const right = value === valueOf(KEYS[i] as string);
          assert.ok(right || error instanceof ConnectionLostError, `at ${at}: ${value} ${error}`);
          const came = by === "FIN" &&
            values({ name: "get" } as Command, KEYS.slice(0, i + 1), "").length;
          if (came && at >= came) assert.ok(right, "a value that had come is not lost");
        }
        await rig.assertRecovered();
      };
      for (let at = 0; at <= LENGTH; at += 8) {
        await Promise.all(
          [0, 1, 2, 3, 4, 5, 6, 7].filter((n) => at + n <= LENGTH).map((n) => cut(at + n)),
        );
      }
    });
  }

  test("values in another order, one missing, one twice asked", async () => {
    await using rig = await sharing((peer, line) => peer.write(values(line, ["ccc", "a"])));
    assert.deepEqual((await gets(rig.client)).map(({ value }) => value), [
      valueOf("a"),
      undefined,
      valueOf("ccc"),
    ]);
    const [first, second] = await Promise.all([rig.client.get("d"), rig.client.get("d")]);
    assert.deepEqual([first, second], [valueOf("d"), valueOf("d")]);
    assert.equal(rig.server.connections, 1);
  });

  test("another key's value among them: values before it are right, the rest is refused", async () => {
    for (const at of [0, 1, 2, 3]) {
      await using rig = await sharing((peer, line) =>
        peer.write(Buffer.concat([values(line, KEYS.slice(0, at), ""), values(line, ["stranger"])]))
      );
      for (const [i, { value, error }] of (await gets(rig.client)).entries()) {
        if (i < at) assert.equal(value, valueOf(KEYS[i] as string));
        else assert.ok(error instanceof ProtocolError, String(error ?? value));
      }
      await rig.assertRecovered();
      assert.equal(rig.server.connections, 2);
    }
  });

  test("an error in place of END: each asks for itself", async () => {
    for (const came of [0, 1, 2]) {
      await using rig = await sharing((peer, line) =>
        peer.write(values(line, KEYS.slice(0, came), "SERVER_ERROR timed out\r\n"))
      );
      assert.deepEqual((await gets(rig.client)).map(({ value }) => value), KEYS.map(valueOf));
      await rig.assertRecovered();
      assert.equal(rig.server.connections, 1);
    }
  });

  test("one is aborted, one times out: the third has its own value", async () => {
    for (const late of [false, true]) {
      const controller = new AbortController();
      await using rig = await sharing(async (peer, line) => {
        const reply = values(line, KEYS);
        const half = late ? 0 : reply.length - 20;
        await peer.write(reply.subarray(0, half));
        await sleep(50);
        controller.abort();
        await sleep(250);
        await peer.write(reply.subarray(half));
      });
      const ends = await Promise.all([
        outcome(rig.client.get("a", { signal: controller.signal })),
        outcome(rig.client.get("bb", { timeout: 200 })),
        outcome(rig.client.get("ccc")),
      ]);
      if (late) {
        assert.equal(ends[0].error?.name, "AbortError");
        assert.ok(ends[1].error instanceof TimeoutError);
      } else {
        // The values of these had come.
        assert.deepEqual(ends.slice(0, 2).map(({ value }) => value), KEYS.slice(0, 2).map(valueOf));
      }
      assert.equal(ends[2].value, valueOf("ccc"));
      await rig.assertRecovered();
      assert.equal(rig.server.connections, 1);
    }
  });

  test("a large value whose call is aborted in the middle", async () => {
    const large = "0123456789".repeat(10_000);
    const head = (key: string): string => `VALUE ${key} 16 ${large.length}\r\n`;
    const controller = new AbortController();
    await using rig = await sharing(async (peer) => {
      await peer.write(`${head("a")}${large.slice(0, 50_000)}`);
      await sleep(50);
      controller.abort();
      await sleep(50);
      await peer.write(`${large.slice(50_000)}\r\n${head("ccc")}${large}\r\nEND\r\n`);
    });
    const ends = await Promise.all([
      outcome(rig.client.get("a", { signal: controller.signal })),
      outcome(rig.client.get("bb")),
      outcome(rig.client.get("ccc")),
    ]);
    assert.equal(ends[0].error?.name, "AbortError");
    assert.deepEqual(ends[1].value, undefined);
    assert.equal(ends[1].error, undefined);
    assert.ok(ends[2].value === large);
    await rig.assertRecovered();
    assert.equal(rig.server.connections, 1);
  });

  test("a large value for which nobody waits any more is skipped, not kept", async (t) => {
    const size = 123_457;
    const kept: number[] = [];
    const { allocUnsafeSlow } = Buffer;
    Buffer.allocUnsafeSlow = (wanted) => {
      kept.push(wanted);
      return allocUnsafeSlow(wanted);
    };
    t.after(() => Buffer.allocUnsafeSlow = allocUnsafeSlow);
    const controller = new AbortController();
    const { signal } = controller;
    await using rig = await sharing(async (peer) => {
      controller.abort();
      await sleep(20);
      await peer.write(`VALUE bb 16 ${size}\r\n${"x".repeat(size)}\r\nEND\r\n`);
    });
    const ends = await Promise.all(KEYS.map((key) => outcome(rig.client.get(key, { signal }))));
    for (const { error } of ends) assert.equal(error?.name, "AbortError");
    await rig.assertRecovered();
    assert.equal(rig.server.connections, 1);
    assert.ok(kept.length > 0, "buffers are seen here");
    assert.ok(!kept.includes(size));
  });
});

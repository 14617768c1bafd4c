/** Faults during stats, flushAll and keys: each fails its own call and no other. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  ConnectionLostError,
  Memcached,
  type MemcachedError,
  ProtocolError,
  ServerDownError,
  ServerError,
  TimeoutError,
  UnsupportedError,
} from "../../mod.ts";
import { type Peer, startScriptedServer } from "../support/scripted_server.ts";
import { together } from "../support/together.ts";
import { behave, type Outcome, outcome, PATIENT, valueOf } from "./rig.ts";

type Call = (client: Memcached) => Promise<unknown>;

async function listKeys(client: Memcached): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of client.keys()) keys.push(key);
  return keys;
}

const CALLS: Readonly<Record<string, Call>> = {
  stats: (m) => m.stats(),
  flushAll: (m) => m.flushAll(),
  keys: (m) => listKeys(m),
};

/** Makes the calls, each to a server whose second connection does `fault`, and gets at the same time. */
async function each(
  fault: (peer: Peer) => void | Promise<void>,
  check: (name: string, ended: Outcome) => void,
  timeout: number = PATIENT.timeout,
): Promise<void> {
  await Promise.all(
    Object.entries(CALLS).map(async ([name, call]) => {
      await using server = await startScriptedServer((peer) =>
        peer.index === 1 ? fault(peer) : behave(peer)
      );
      await using client = new Memcached(server.address, { ...PATIENT, timeout });
      assert.equal(await client.get("a", { timeout: PATIENT.timeout }), valueOf("a"));
      let stop = false;
      const others = (async (): Promise<void> => {
        while (!stop) {
          assert.equal(await client.get("b", { timeout: PATIENT.timeout }), valueOf("b"));
        }
      })();
      check(name, await outcome(call(client)));
      stop = true;
      await others;
      assert.equal(server.connections, 2);
    }),
  );
}

const after = (text: string, end: (peer: Peer) => void | Promise<void>) =>
async (
  peer: Peer,
): Promise<void> => {
  await peer.next();
  await peer.write(text);
  await end(peer);
};

function assertIs(
  kind: new (...args: never[]) => MemcachedError,
  { error }: Outcome,
  ambiguous: boolean,
): void {
  assert.ok(error instanceof kind, String(error));
  assert.equal(error.ambiguous, ambiguous);
  assert.match((error as MemcachedError).server?.address ?? "", /^127/);
}

const cases = together({
  "closed without an answer: a proxy that does not know the command, or a server that died": () =>
    each(after("", (peer) => peer.end()), (name, ended) => {
      assertIs(UnsupportedError, ended, name === "flushAll");
    }),

  "reset without an answer": () =>
    each(after("", (peer) => peer.reset()), (name, ended) => {
      assert.ok(
        ended.error instanceof ConnectionLostError || ended.error instanceof UnsupportedError,
      );
      assert.equal(ended.error.ambiguous, name === "flushAll");
    }),

  "closed in the middle of the answer": () =>
    each(after("STAT a 1\r\nSTAT b ", (peer) => peer.end()), (name, ended) => {
      if (name === "stats") assertIs(ConnectionLostError, ended, false);
      else assertIs(ProtocolError, ended, false);
    }),

  "an unexpected answer": () =>
    each(after("HTTP/1.1 400 Bad Request\r\n", () => {}), (_, ended) => {
      assertIs(ProtocolError, ended, false);
      assert.doesNotMatch(ended.error?.message ?? "", /HTTP/);
    }),

  "a line without an end": () =>
    each(after("x".repeat(10_000), () => {}), (_, ended) => assertIs(ProtocolError, ended, false)),

  "refused": () =>
    each(after("SERVER_ERROR out of memory\r\n", () => {}), (_, ended) => {
      assertIs(ServerError, ended, false);
    }),

  "unknown": () =>
    each(after("ERROR\r\n", () => {}), (_, ended) => assertIs(UnsupportedError, ended, false)),

  "no answer": () =>
    each(() => {}, (name, ended) => {
      assertIs(TimeoutError, ended, name === "flushAll");
      assert.ok(ended.ms >= 100 && ended.ms < 5_000, `${ended.ms} ms`);
    }, 100),

  "no such server": async () => {
    await using server = await startScriptedServer(behave);
    await using client = new Memcached(server.address, PATIENT);
    await server.stop();
    for (const call of Object.values(CALLS)) {
      const ended = await outcome(call(client));
      assertIs(ServerDownError, ended, false);
    }
  },
});

for (const [name, run] of cases) test(name, run);

test("a blocked event loop loses no answer that has arrived", async () => {
  await using server = await startScriptedServer(async (peer) => {
    if (peer.index === 0) return await behave(peer);
    await peer.next();
    await sleep(250);
    await peer.write("STAT pid 17\r\nEND\r\n");
    // The client's kernel has the answer now. The client's timer is due before its socket is read.
    const end = performance.now() + 250;
    while (performance.now() < end);
  });
  await using client = new Memcached(server.address, PATIENT);
  await client.get("a");
  const stats = await client.stats(undefined, { timeout: 450 });
  assert.deepEqual([...stats.values()], [{ pid: 17 }]);
});

/** Error lines: those that leave the stream in step fail one call, all others end the connection. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import {
  AuthError,
  ConnectionLostError,
  type Memcached,
  type MemcachedError,
  PartialError,
  ProtocolError,
  ServerError,
  ValueTooLargeError,
} from "../../mod.ts";
import type { Peer } from "../support/scripted_server.ts";
import { until } from "../support/until.ts";
import { answer, DIALECTS, type Outcome, outcome, rig, valueOf } from "./rig.ts";

// First memcached's own (proto_text.c, memcached.c of 1.4 to 1.6), then those of proxies.
const SERVER_ERRORS = [
  "SERVER_ERROR out of memory storing object",
  "SERVER_ERROR Out of memory during read",
  "SERVER_ERROR out of memory reading request",
  "SERVER_ERROR out of memory preparing response",
  "SERVER_ERROR out of memory writing get response",
  "SERVER_ERROR out of memory writing stats",
  "SERVER_ERROR out of memory in incr",
  "SERVER_ERROR out of memory copying suffix",
  "SERVER_ERROR refcount overflow during fetch",
  "SERVER_ERROR Unhandled storage type.",
  "SERVER_ERROR temporary failure",
  "SERVER_ERROR: shutdown not enabled",
  "SERVER_ERROR backend failure",
  "SERVER_ERROR Connection refused",
  "SERVER_ERROR Host is down",
  "SERVER_ERROR unavailable",
  "SERVER_ERROR",
];
const TOO_LARGE = [
  "SERVER_ERROR object too large for cache",
  "SERVER_ERROR item is too large for the proxy",
];
const FATAL = [
  "CLIENT_ERROR bad data chunk",
  "CLIENT_ERROR bad command line format",
  "CLIENT_ERROR bad command line termination",
  "CLIENT_ERROR line too long",
  "CLIENT_ERROR invalid flag",
  "CLIENT_ERROR invalid exptime argument",
  "CLIENT_ERROR invalid numeric delta argument",
  "CLIENT_ERROR duplicate flag",
  "CLIENT_ERROR",
  "CLIENT_ERROR bad command line format\r\n",
  "ERROR",
  "ERROR Too many open connections",
];
const UNAUTHENTICATED = ["CLIENT_ERROR unauthenticated", "CLIENT_ERROR authentication failure"];

const callsOf = (key: string): Readonly<Record<string, (m: Memcached) => Promise<unknown>>> => ({
  get: (m) => m.get(key),
  getItem: (m) => m.getItem(key),
  has: (m) => m.has(key),
  set: (m) => m.set(key, "v"),
  add: (m) => m.add(key, "v"),
  cas: (m) => m.cas(key, "v", 3n),
  append: (m) => m.append(key, "v"),
  delete: (m) => m.delete(key),
  compareAndDelete: (m) => m.compareAndDelete(key, 3n),
  touch: (m) => m.touch(key, 60),
  increment: (m) => m.increment(key),
});
const CALLS = callsOf("k");

/** Answers the first command with the line and all others correctly, then makes one more call. */
async function refuse(
  dialect: "meta" | "classic",
  line: string,
  call: (client: Memcached) => Promise<unknown>,
): Promise<{ own: Outcome; behind: Outcome; connections: number }> {
  await using at = await rig(dialect, async (peer: Peer) => {
    await peer.next();
    const second = await peer.next();
    await peer.write(`${line}\r\n`);
    for (let command = second;; command = await peer.next()) await peer.write(answer(command));
  });
  const [own, behind] = await Promise.all([
    outcome(call(at.client)),
    outcome(at.client.set("behind", "v")),
  ]);
  await at.assertRecovered();
  return { own, behind, connections: at.server.connections };
}

function assertServer({ error }: Outcome, line: string): void {
  assert.ok(error?.message.includes(line.trim()), `${error} says ${line}`);
  assert.match((error as MemcachedError).server?.address ?? "", /^127\.0\.0\.1:/);
  assert.equal((error as MemcachedError).ambiguous, false, "the server has told the outcome");
}

for (const dialect of DIALECTS) {
  describe(`error lines, ${dialect}`, () => {
    for (const line of SERVER_ERRORS) {
      test(`${line}: this call rejects, the connection is kept`, async () => {
        await Promise.all(
          Object.values(CALLS).map(async (call) => {
            const { own, behind, connections } = await refuse(dialect, line, call);
            assert.ok(own.error instanceof ServerError, String(own.error));
            assertServer(own, line);
            assert.equal(behind.error, undefined);
            assert.equal(connections, 1);
          }),
        );
      });
    }

    for (const line of TOO_LARGE) {
      test(`${line}: ValueTooLargeError, the connection is kept`, async () => {
        const { own, behind, connections } = await refuse(dialect, line, (m) => m.set("k", "v"));
        assert.ok(own.error instanceof ValueTooLargeError);
        assert.equal(own.error.oldValueLost, true);
        assertServer(own, line);
        assert.equal(behind.error, undefined);
        assert.equal(connections, 1);
      });
    }

    for (const line of FATAL) {
      test(`${line.trim()}: nobody knows what comes next${/\n/.test(line) ? ", CRLF" : ""}`, async () => {
        await Promise.all(
          Object.values(CALLS).map(async (call) => {
            const { own, behind, connections } = await refuse(dialect, line, call);
            assert.ok(own.error instanceof ProtocolError, String(own.error));
            assertServer(own, line);
            assert.ok(behind.error instanceof ConnectionLostError);
            assert.equal(behind.error.ambiguous, true);
            assert.equal(connections, 2);
          }),
        );
      });
    }

    for (const line of UNAUTHENTICATED) {
      test(`${line}: AuthError`, async () => {
        const { own, connections } = await refuse(dialect, line, (m) => m.get("k"));
        assert.ok(own.error instanceof AuthError);
        assert.equal(connections, 2);
      });
    }

    for (const word of ["SERVER_ERROR", "CLIENT_ERROR", "ERROR"]) {
      test(`${word} that repeats the request: no message and no cause has the key`, async () => {
        const key = "visitor:5d41402abc4b2a76b9719d911017c592";
        for (const call of Object.values(callsOf(key))) {
          await using at = await rig(dialect, async (peer: Peer) => {
            const { line } = await peer.next();
            const second = await peer.next();
            await peer.write(`${word} no route for '${line}'\r\n`);
            for (let command = second;; command = await peer.next()) {
              await peer.write(answer(command));
            }
          });
          const ends = await Promise.all([
            outcome(call(at.client)),
            outcome(at.client.set("behind", "v")),
          ]);
          assert.ok(ends[0].error !== undefined);
          for (const { error } of ends) {
            assert.ok(!inspect(error, { depth: 9 }).includes("5d41402abc4b2a76"), String(error));
          }
        }
      });
    }

    test("a value that is not a counter: ServerError, the connection is kept", async () => {
      const line = "CLIENT_ERROR cannot increment or decrement non-numeric value";
      const { own, behind, connections } = await refuse(dialect, line, (m) => m.increment("k"));
      assert.ok(own.error instanceof ServerError);
      assertServer(own, line);
      assert.equal(behind.error, undefined);
      assert.equal(connections, 1);
    });

    test("a key of a getMany is refused: the others are found", async () => {
      await using at = await rig(dialect, async (peer) => {
        for (let asked = 0;; asked++) {
          const command = await peer.next();
          if (asked !== 0) await peer.write(answer(command));
          else if (dialect === "meta") await peer.write("SERVER_ERROR out of memory\r\n");
          else {
            // An error replaces END, and the keys that have not come.
            const text = answer(command).toString().replace(/VALUE b[^]*/, "");
            await peer.write(`${text}SERVER_ERROR out of memory\r\n`);
          }
        }
      });
      const { error } = await outcome(at.client.getMany(["a", "b", "c"]));
      assert.ok(error instanceof PartialError);
      const there = dialect === "meta" ? ["b", "c"] : ["a"];
      assert.deepEqual(error.results, new Map(there.map((key) => [key, valueOf(key)])));
      const refused = ["a", "b", "c"].filter((key) => !there.includes(key));
      assert.deepEqual([...error.errors.keys()], refused);
      for (const each of error.errors.values()) assert.ok(each instanceof ServerError);
      await at.assertRecovered();
      assert.equal(at.server.connections, 1);
    });

    test("an error line while nothing is in flight: no call fails", async () => {
      for (const line of ["ERROR Too many open connections", "END", "EN O0", "STORED", "x"]) {
        let unasked: (() => Promise<void>) | undefined;
        await using at = await rig(dialect, async (peer) => {
          unasked = () => peer.write(`${line}\r\n`);
          for (;;) await peer.write(answer(await peer.next()));
        });
        assert.equal(await at.client.get("k"), valueOf("k"));
        await unasked?.();
        await until(() => at.server.open === 0);
        await at.assertRecovered();
      }
    });
  });
}

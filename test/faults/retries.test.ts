/**
 * Which calls are sent again if a connection is lost, how often, and which never are. The server counts them.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  ConnectionLostError,
  Memcached,
  type MemcachedError,
  PartialError,
  ServerDownError,
} from "../../mod.ts";
import { miss } from "../support/replies.ts";
import { type Peer, startScriptedServer } from "../support/scripted_server.ts";
import { startMemcached } from "../support/memcached.ts";
import { until } from "../support/until.ts";
import { answer, type Dialect, DIALECTS, outcome, PATIENT, valueOf } from "./rig.ts";

type Call = (client: Memcached) => Promise<unknown>;

const found = new Map(["k", "l"].map((key) => [key, valueOf(key)]));

/** The calls that are sent again once, and what they then resolve to. */
const RETRIED: Readonly<Record<string, readonly [Call, unknown]>> = {
  get: [(m) => m.get("k"), valueOf("k")],
  getMany: [(m) => m.getMany(["k", "l"]), found],
  getItem: [(m) => m.getItem("k").then((item) => item?.value), valueOf("k")],
  "getItem with touch": [(m) => m.getItem("k", { touch: 9 }).then((i) => i?.value), valueOf("k")],
  getAndTouch: [(m) => m.getAndTouch("k", 9), valueOf("k")],
  has: [(m) => m.has("k"), true],
  touch: [(m) => m.touch("k", 9), true],
  delete: [(m) => m.delete("k"), true],
  deleteMany: [(m) => m.deleteMany(["k"]), new Map([["k", true]])],
  version: [(m) => m.version().then((all) => [...all.values()]), ["1.6.18"]],
};

/** The calls that are never sent again. */
const WRITES: Readonly<Record<string, Call>> = {
  set: (m) => m.set("k", "v"),
  setMany: (m) => m.setMany([["k", "v"]]),
  add: (m) => m.add("k", "v"),
  replace: (m) => m.replace("k", "v"),
  append: (m) => m.append("k", "v"),
  prepend: (m) => m.prepend("k", "v"),
  cas: (m) => m.cas("k", "v", 3n),
  compareAndDelete: (m) => m.compareAndDelete("k", 3n),
  increment: (m) => m.increment("k"),
  "increment with initial": (m) => m.increment("k", 1, { initial: 5 }),
  decrement: (m) => m.decrement("k"),
};

/** A server that, after a first answer, reads a command and ends the connection `losses` times. */
async function losing(
  dialect: Dialect,
  losses: number,
  end: (peer: Peer) => void | Promise<void>,
  call: Call,
): Promise<{ own: Awaited<ReturnType<typeof outcome>>; seen: string[]; connections: number }> {
  const seen: string[] = [];
  let lost = 0;
  await using server = await startScriptedServer(async (peer) => {
    // The version of the handshake comes first, which distinguishes it from a call of that name.
    await peer.write(answer(await peer.next()));
    if (peer.index === 0) await peer.write(answer(await peer.next()));
    for (;;) {
      const command = await peer.next();
      seen.push(command.line.replace(/ O\d+/, ""));
      if (lost++ < losses) return await end(peer);
      await peer.write(answer(command));
    }
  }, { dialect: "none" });
  await using client = new Memcached(server.address, { ...PATIENT, protocol: dialect });
  await client.get("first");
  const own = await outcome(call(client));
  assert.equal(await client.get("next"), valueOf("next"));
  return { own, seen: seen.slice(0, -1), connections: server.connections };
}

const ENDS = {
  FIN: (peer: Peer): void => peer.end(),
  RST: (peer: Peer): Promise<void> => peer.reset(),
} as const;

function errorsOf({ error }: Awaited<ReturnType<typeof outcome>>): MemcachedError[] {
  return error instanceof PartialError
    ? [error, ...error.errors.values()]
    : [error as MemcachedError];
}

for (const dialect of DIALECTS) {
  for (const [name, end] of Object.entries(ENDS)) {
    describe(`a connection lost before a byte of the reply, by ${name}, ${dialect}`, () => {
      for (const [operation, [call, right]] of Object.entries(RETRIED)) {
        test(`${operation} is sent again, once`, async () => {
          const once = await losing(dialect, 1, end, call);
          assert.deepEqual(once.own.value, right, String(once.own.error));
          assert.equal(once.connections, 2);
          // The client writes a call's commands together, and the server reads them one by one.
          assert.equal(once.seen.filter((line) => line === once.seen[0]).length, 2);
          const twice = await losing(dialect, 2, end, call);
          for (const error of errorsOf(twice.own)) {
            if (!(error instanceof PartialError)) assert.ok(error instanceof ConnectionLostError);
            assert.equal(error.ambiguous, false, "repeating it changes nothing");
          }
          assert.equal(twice.seen.length, 2);
        });
      }

      for (const [operation, call] of Object.entries(WRITES)) {
        test(`${operation} is never sent again, and says that its outcome is unknown`, async () => {
          const { own, seen } = await losing(dialect, 1, end, call);
          assert.ok(own.error !== undefined);
          for (const error of errorsOf(own)) {
            if (!(error instanceof PartialError)) assert.ok(error instanceof ConnectionLostError);
            assert.equal(error.ambiguous, true);
          }
          assert.equal(seen.length, 1, seen.join());
        });
      }

      test("update: its read is sent again, its write is not", async () => {
        const { seen, own } = await losing(dialect, 1, end, (m) => m.update("k", () => "v"));
        assert.equal(own.value, "v");
        assert.equal(seen.length, 3, "read, read again, write");
        let lost = false;
        const writes: string[] = [];
        await using server = await startScriptedServer(async (peer) => {
          for (;;) {
            const command = await peer.next();
            const reads = /^(mg|gets?)$/.test(command.name);
            if (!reads) writes.push(command.name);
            if (!reads && !lost) {
              lost = true;
              return await end(peer);
            }
            await peer.write(command.key === "absent" ? miss(command) : answer(command));
          }
        }, { dialect });
        await using client = new Memcached(server.address, PATIENT);
        for (const key of ["k", "absent"]) {
          lost = false;
          const { error } = await outcome(client.update(key, () => "v"));
          assert.ok(error instanceof ConnectionLostError, String(error));
          assert.equal(error.ambiguous, true);
        }
        assert.equal(writes.length, 2);
      });
    });
  }

  describe(`a connection that ends while nothing is in flight, ${dialect}`, () => {
    test("is not a failure: reads and writes after it work, over another connection", async () => {
      const seen: string[] = [];
      await using server = await startScriptedServer(async (peer) => {
        const command = await peer.next();
        seen.push(command.name);
        await peer.write(answer(command));
        peer.end();
      }, { dialect });
      await using client = new Memcached(server.address, PATIENT);
      for (const call of [...Object.values(WRITES)].slice(0, 5)) {
        await call(client);
        await until(() => server.open === 0);
      }
      assert.equal(seen.length, 5);
      assert.equal(server.connections, 5);
    });

    test("in the same tick as a call: the call ends promptly, with the right value or a typed error", async () => {
      for (let delay = 0; delay < 30; delay++) {
        await using server = await startScriptedServer(async (peer) => {
          for (let n = 0; n < (peer.index === 0 ? 1 : Infinity); n++) {
            await peer.write(answer(await peer.next()));
          }
          peer.end();
        }, { dialect });
        await using client = new Memcached(server.address, PATIENT);
        await client.get("first");
        for (let i = 0; i < delay; i++) await Promise.resolve();
        const [get, set] = await Promise.all([
          outcome(client.get("k")),
          outcome(client.set("k", "v")),
        ]);
        assert.equal(get.value, valueOf("k"));
        if (set.error !== undefined) {
          assert.ok(set.error instanceof ConnectionLostError && set.error.ambiguous);
        }
        assert.ok(get.ms < 10_000 && set.ms < 10_000);
      }
    });
  });
}

describe("a server that has gone", () => {
  test("calls that may be repeated reject with ServerDownError; writes are ambiguous", async () => {
    const server = await startMemcached();
    await using client = new Memcached(server.address, PATIENT);
    await client.set("k", "v");
    server.pause();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const reads = Object.values(RETRIED).map(([call]) => outcome(call(client)));
    const writes = Object.values(WRITES).map((call) => outcome(call(client)));
    await new Promise((resolve) => setTimeout(resolve, 50));
    const start = performance.now();
    await server.stop();
    const ends = await Promise.all([...reads, ...writes]);
    assert.ok(performance.now() - start < 10_000);
    for (const [i, end] of ends.entries()) {
      for (const error of errorsOf(end)) {
        const read = i < reads.length;
        assert.equal(error.ambiguous, !read);
        if (error instanceof PartialError) continue;
        assert.ok(error instanceof (read ? ServerDownError : ConnectionLostError), String(error));
      }
    }
  });
});

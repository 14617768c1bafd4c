/** What the channels publish about each operation, about retries and about connections that end. */
import assert from "node:assert/strict";
import { channel } from "node:diagnostics_channel";
import { test } from "node:test";
import { inspect } from "node:util";
import { Memcached, MemcachedError, ServerDownError } from "../../mod.ts";
import type { CommandMessage, ConnectionMessage, ServerMessage } from "../../src/messages.ts";
import { behave, DIALECTS, outcome, PATIENT, valueOf } from "../faults/rig.ts";
import { freePort, startMemcached } from "../support/memcached.ts";
import { startScriptedServer } from "../support/scripted_server.ts";
import { until } from "../support/until.ts";

const CHANNELS = ["command:start", "command:end", "connection", "server"] as const;
type Name = (typeof CHANNELS)[number];

/** Collects the messages about one server, until it is disposed of. */
class Ear implements Disposable {
  readonly starts: CommandMessage[] = [];
  readonly ends: CommandMessage[] = [];
  readonly connections: ConnectionMessage[] = [];
  readonly states: ServerMessage[] = [];
  readonly #unsubscribe: (() => void)[] = [];

  constructor(address: string, names: readonly Name[] = CHANNELS) {
    const lists: Record<Name, unknown[]> = {
      "command:start": this.starts,
      "command:end": this.ends,
      "connection": this.connections,
      "server": this.states,
    };
    for (const name of names) {
      const take = (message: unknown): void => {
        if ((message as ServerMessage).server.address === address) lists[name].push(message);
      };
      channel(`memwire:${name}`).subscribe(take);
      this.#unsubscribe.push(() => channel(`memwire:${name}`).unsubscribe(take));
    }
  }

  [Symbol.dispose](): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }
}

type Call = (m: Memcached) => Promise<unknown>;

/** A call, and the operations and numbers of keys that the channel publishes for it. */
const CALLS: ReadonlyArray<readonly [call: Call, told: readonly string[]]> = [
  [(m) => m.get("secret"), ["get 1"]],
  [(m) => m.getMany(["secret", "secret2", "secret"]), ["getMany 2"]],
  [(m) => m.getMany([]), []],
  [(m) => m.getItem("secret"), ["gets 1"]],
  [(m) => m.getAndTouch("secret", 5), ["gat 1"]],
  [(m) => m.has("secret"), ["has 1"]],
  [(m) => m.set("secret", "hidden"), ["set 1"]],
  [(m) => m.setMany([["secret", 1], ["secret2", 2]]), ["setMany 2"]],
  [(m) => m.add("secret", "hidden"), ["add 1"]],
  [(m) => m.replace("secret", "hidden"), ["replace 1"]],
  [(m) => m.append("secret", "hidden"), ["append 1"]],
  [(m) => m.prepend("secret", "hidden"), ["prepend 1"]],
  [(m) => m.cas("secret", "hidden", 3n), ["cas 1"]],
  [(m) => m.delete("secret"), ["delete 1"]],
  [(m) => m.compareAndDelete("secret", 3n), ["delete 1"]],
  [(m) => m.deleteMany(["secret", "secret2"]), ["deleteMany 2"]],
  [(m) => m.touch("secret", 5), ["touch 1"]],
  [(m) => m.increment("secret", 1, { initial: 7 }), ["increment 1", "add 1"]],
  [(m) => m.decrement("secret"), ["decrement 1"]],
  [(m) => m.update("secret-b", () => "hidden"), ["gets 1", "add 1"]],
  [(m) => m.version(), ["version 0"]],
  [(m) => m.stats(), ["stats 0"]],
  [(m) => m.flushAll(), ["flushAll 0"]],
  [async (m) => {
    for await (const key of m.keys()) assert.match(key, /^secret/);
  }, ["keys 0"]],
];

for (const protocol of DIALECTS) {
  test(`each operation has a start and an end that are one object, ${protocol}`, async () => {
    await using server = await startMemcached();
    await using client = new Memcached(server.address, { ...PATIENT, protocol, prefix: "app:" });
    await client.version();
    for (const [call, told] of CALLS) {
      using ear = new Ear(server.address);
      const before = Date.now();
      await outcome(call(client));
      const named = ear.starts.map(({ operation, keyCount }) => `${operation} ${keyCount}`);
      assert.deepEqual(named, told, String(call));
      assert.deepEqual(new Set(ear.ends), new Set(ear.starts), String(call));
      for (const message of ear.ends) {
        assert.deepEqual({ ...message.server }, { id: server.address, address: server.address });
        assert.ok(message.startTime >= before && message.startTime <= Date.now());
        assert.ok(message.duration !== undefined && message.duration >= 0);
        assert.equal("error" in message, false, String(message.error));
      }
      assert.doesNotMatch(inspect(ear, { depth: 9, showHidden: true }), /secret|hidden|app:/);
    }
  });

  test(`each operation's failure is published, with a code and without a key, ${protocol}`, async () => {
    const address = `127.0.0.1:${await freePort()}`;
    await using client = new Memcached(address, { ...PATIENT, protocol, prefix: "app:" });
    for (const [call, told] of CALLS) {
      using ear = new Ear(address, ["command:start", "command:end"]);
      await outcome(call(client));
      assert.equal(ear.ends.length > 0, told.length > 0, String(call));
      for (const { error } of ear.ends) {
        assert.ok(error instanceof ServerDownError, String(error));
        assert.equal(error.code, "SERVER_DOWN");
      }
      assert.doesNotMatch(inspect(ear, { depth: 9, showHidden: true }), /secret|hidden|app:/);
    }
  });
}

test("a call that is sent again is one command", async () => {
  await using server = await startScriptedServer(async (peer) => {
    if (peer.index > 0) return await behave(peer);
    await peer.next();
    peer.end();
  });
  using ear = new Ear(server.address);
  await using client = new Memcached(server.address, PATIENT);
  assert.equal(await client.get("k"), valueOf("k"));
  assert.equal(ear.starts.length, 1);
  assert.deepEqual(ear.ends, ear.starts);
  assert.deepEqual(ear.connections.map(({ event }) => event), [
    "open",
    "ready",
    "close",
    "open",
    "ready",
  ]);
  assert.deepEqual(ear.states.map(({ state }) => state), ["up"], "and no failure");
});

test("a listener to one channel gets only that channel's messages", async () => {
  await using server = await startScriptedServer(behave);
  await using client = new Memcached(server.address, PATIENT);
  for (const name of ["command:start", "command:end"] as const) {
    using ear = new Ear(server.address, [name]);
    await client.get("k");
    assert.equal(ear.starts.length + ear.ends.length, 1);
  }
  using ear = new Ear(server.address, ["connection", "server"]);
  await client.get("k");
  assert.deepEqual([ear.connections, ear.states], [[], []]);
});

test("a listener may make calls of its own", async () => {
  await using server = await startScriptedServer(behave);
  await using client = new Memcached(server.address, PATIENT);
  const made: Promise<unknown>[] = [];
  const call = (message: unknown): void => {
    if ((message as CommandMessage).server.address !== server.address || made.length > 5) return;
    made.push(client.get("inner"));
  };
  channel("memwire:command:end").subscribe(call);
  try {
    assert.equal(await client.get("k"), valueOf("k"));
    await until(() => made.length > 5);
    for (const value of await Promise.all(made)) assert.equal(value, valueOf("inner"));
  } finally {
    channel("memwire:command:end").unsubscribe(call);
  }
});

test("a connection that ends publishes a typed error with the reason; one that was closed has none", async () => {
  await using server = await startScriptedServer(async (peer) => {
    if (peer.index > 1) return await behave(peer);
    await peer.next();
    await (peer.index === 0 ? peer.write("garbage\r\n") : peer.reset());
  });
  using ear = new Ear(server.address);
  const client = new Memcached(server.address, PATIENT);
  await outcome(client.get("k"));
  await outcome(client.set("k", "v"));
  await outcome(client.get("k"));
  await client.close();
  const closes = ear.connections.filter(({ event }) => event === "close");
  assert.deepEqual(
    closes.map(({ error }) => error?.code).filter((code) => code !== "CONNECTION_LOST"),
    [
      "PROTOCOL",
      undefined,
    ],
  );
  for (const { error } of closes) assert.ok(error === undefined || error instanceof MemcachedError);

  const nobody = `127.0.0.1:${await freePort()}`;
  using second = new Ear(nobody);
  await using refused = new Memcached(nobody, PATIENT);
  await outcome(refused.get("k"));
  const [open, close] = second.connections;
  assert.equal(open?.event, "open");
  assert.ok(close?.error instanceof MemcachedError);
  assert.match(close.error.message, /ECONNREFUSED/);
  assert.equal(second.states[0]?.state, "down");
  assert.ok(second.states[0].error instanceof ServerDownError);
});

/**
 * Listeners and serializers run in the async context of the call that they are about, even if another call's
 * reply is read at that moment. The message of a read says how many of its keys were found.
 */
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { channel } from "node:diagnostics_channel";
import { test } from "node:test";
import { type CommandMessage, Memcached, type MemcachedOptions } from "../../mod.ts";
import { behave, DIALECTS, outcome, PATIENT } from "../faults/rig.ts";
import { freePort, startMemcached } from "../support/memcached.ts";
import { startScriptedServer } from "../support/scripted_server.ts";

const context = new AsyncLocalStorage<number>();

/** Collects the context in which each message about a server was published. */
class Ear implements Disposable {
  readonly starts = new Map<CommandMessage, number | undefined>();
  readonly ends = new Map<CommandMessage, number | undefined>();
  readonly #off: (() => void)[] = [];

  constructor(address: string) {
    for (const [name, seen] of [["start", this.starts], ["end", this.ends]] as const) {
      const take = (message: unknown): void => {
        const command = message as CommandMessage;
        if (command.server.address === address) seen.set(command, context.getStore());
      };
      const commands = channel(`memwire:command:${name}`);
      commands.subscribe(take);
      this.#off.push(() => commands.unsubscribe(take));
    }
  }

  [Symbol.dispose](): void {
    for (const off of this.#off) off();
  }
}

type Call = (client: Memcached, i: number) => Promise<unknown>;

const CALLS: readonly Call[] = [
  (client, i) => client.get(`k${i}`),
  (client, i) => client.get("shared").then(() => client.set(`k${i}`, i)),
  (client, i) => client.getMany([`k${i}`, "shared"]),
  (client, i) => client.setMany(Array.from({ length: 50 }, (_, n) => [`k${i}.${n}`, n])),
  (client, i) => client.update<number>(`n${i}`, (n) => (n ?? 0) + 1),
  (client, i) => client.getItem(`k${i}`, { touch: 60 }),
  (client, i) => client.increment(`c${i}`, 1, { initial: 1 }),
  (client, i) => client.append(`k${i}`, "x"),
  (client) => client.version(),
  (client) => client.stats(),
];

async function callInContexts(client: Memcached, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, i) =>
    context.run(i, async () => {
      await outcome((CALLS[i % CALLS.length] as Call)(client, i));
      assert.equal(context.getStore(), i);
    })));
}

/** Asserts that each context has its messages, start and end. */
function assertContexts(ear: Ear, count: number): void {
  assert.deepEqual(
    new Set(ear.starts.values()),
    new Set(Array.from({ length: count }, (_, i) => i)),
  );
  assert.equal(ear.ends.size, ear.starts.size);
  for (const [message, store] of ear.starts) {
    assert.equal(ear.ends.get(message), store, message.operation);
  }
}

for (const protocol of DIALECTS) {
  test(`both messages in the caller's context, 300 calls at once, ${protocol}`, async () => {
    await using server = await startMemcached();
    const options: MemcachedOptions = { ...PATIENT, protocol, maxPending: 64 };
    await using client = new Memcached(server.address, { ...options, maxPending: 10_000 });
    using ear = new Ear(server.address);
    await callInContexts(client, 300);
    assertContexts(ear, 300);

    // Portions that wait for room are sent when another call's reply has come.
    await using narrow = new Memcached(server.address, options);
    using second = new Ear(server.address);
    await callInContexts(narrow, 40);
    assertContexts(second, 40);
  });

  test(`also of calls that time out, are aborted or refused, ${protocol}`, async () => {
    await using silent = await startScriptedServer(async (peer) => {
      for (;;) await peer.next();
    }, { dialect: protocol });
    await using client = new Memcached(silent.address, { timeout: 60, protocol });
    using ear = new Ear(silent.address);
    await callInContexts(client, 20);
    assertContexts(ear, 20);

    const address = `127.0.0.1:${await freePort()}`;
    await using refused = new Memcached(address, { ...PATIENT, protocol });
    using deaf = new Ear(address);
    await callInContexts(refused, 20);
    assertContexts(deaf, 20);

    await using other = await startScriptedServer(async (peer) => {
      for (;;) await peer.next();
    }, { dialect: protocol });
    await using aborted = new Memcached(other.address, { ...PATIENT, protocol });
    using third = new Ear(other.address);
    const controller = new AbortController();
    const calls = Array.from(
      { length: 20 },
      (_, i) => context.run(i, () => outcome(aborted.get(`k${i}`, { signal: controller.signal }))),
    );
    setTimeout(() => context.run(-1, () => controller.abort()), 20);
    await Promise.all(calls);
    assertContexts(third, 20);
  });

  test(`a serializer runs in the context of the call, ${protocol}`, async () => {
    await using server = await startMemcached();
    const seen: [string, number | undefined][] = [];
    const note = (key: string): number => seen.push([key, context.getStore()]);
    await using client = new Memcached(server.address, {
      ...PATIENT,
      protocol,
      serializer: {
        serialize: (value) => ({ data: new TextEncoder().encode(String(value)), flags: 0 }),
        deserialize: (data) => {
          const text = new TextDecoder().decode(data);
          note(text);
          return text;
        },
      },
    });
    await client.setMany(Array.from({ length: 60 }, (_, i) => [`k${i}`, i] as const));
    const reads: readonly Call[] = [
      (m, i) => m.get(`k${i}`),
      (m, i) => m.getMany([`k${i}`]),
      (m, i) => m.getItem(`k${i}`),
      (m, i) => m.getAndTouch(`k${i}`, 60),
      (m, i) => m.update(`k${i}`, (value) => value),
    ];
    await Promise.all(
      Array.from(
        { length: 60 },
        (_, i) => context.run(i, () => (reads[i % reads.length] as Call)(client, i)),
      ),
    );
    assert.equal(seen.length, 60);
    for (const [text, store] of seen) assert.equal(Number(text), store);
  });

  test(`the message of a read says how many keys were found, ${protocol}`, async () => {
    await using server = await startMemcached();
    await using client = new Memcached(server.address, { ...PATIENT, protocol });
    await client.setMany([["a", 1], ["b", 2], ["empty", ""]]);
    await server.ask("set pickle 1 0 1\r\nx", /STORED/);
    await server.ask("set loading 65536 0 1\r\nx", /STORED/);
    const none = [undefined, undefined];
    const reads: ReadonlyArray<readonly [call: () => Promise<unknown>, counts: unknown[]]> = [
      [() => client.get("a"), [1, 0]],
      [() => client.get("empty"), [1, 0]],
      [() => client.get("x"), [0, 1]],
      [() => client.get("loading"), [0, 1]],
      [() => client.getItem("a"), [1, 0]],
      [() => client.getItem("x"), [0, 1]],
      [() => client.getItem("a", { touch: 60 }), [1, 0]],
      [() => client.getAndTouch("a", 60), [1, 0]],
      [() => client.getAndTouch("x", 60), [0, 1]],
      [() => client.has("a"), [1, 0]],
      [() => client.has("x"), [0, 1]],
      [() => client.getMany(["a", "b", "empty", "x", "y", "loading"]), [3, 3]],
      [() => client.getMany(["x"]), [0, 1]],
      // A key that failed counts as neither.
      [() => client.getMany(["a", "pickle", "x"]), [1, 1]],
      [() => client.get("pickle"), none],
      [() => client.update("a", () => undefined), [1, 0]],
      [() => client.update("loading", () => undefined), [0, 1]],
      [() => client.set("a", 1), none],
      [() => client.delete("x"), none],
      [() => client.deleteMany(["x"]), none],
      [() => client.touch("x", 1), none],
      [() => client.increment("x"), none],
      [() => client.version(), none],
    ];
    for (const [call, counts] of reads) {
      using ear = new Ear(server.address);
      await outcome(call());
      const [message] = ear.ends.keys();
      assert.deepEqual([message?.hitCount, message?.missCount], counts, String(call));
    }
    using ear = new Ear(server.address);
    await outcome(client.getMany(["a", "pickle"]));
    const [message] = ear.ends.keys();
    assert.equal(message?.error?.code, "CORRUPT_VALUE");
  });
}

test("a getMany that ends half-way counts the keys that were answered", async () => {
  await using server = await startScriptedServer(async (peer) => {
    if (peer.index > 0) return await behave(peer);
    for (const reply of ["VA 1 f16", "EN", "VA 1 f16"]) {
      const { opaque } = await peer.next();
      await peer.write(`${reply} O${opaque}\r\n${reply === "EN" ? "" : "x\r\n"}`);
    }
  });
  await using client = new Memcached(server.address, { timeout: 60 });
  using ear = new Ear(server.address);
  await outcome(client.getMany(["a", "b", "c", "d", "e"]));
  const [message] = ear.ends.keys();
  assert.deepEqual([message?.hitCount, message?.missCount], [2, 1]);
  assert.equal(message?.error?.code, "TIMEOUT");
});

/** In the classic dialect the questions of one turn share lines, and each caller still gets the answer to its own. */
import assert from "node:assert/strict";
import { Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { Memcached } from "../../../mod.ts";
import { startMemcached } from "../../support/memcached.ts";
import { play } from "../../testing/support.ts";

const STUB_FLAGS = 65_536;

/** Records what is written from now on; the buffers are used again. */
function record(t: TestContext): string[] {
  const written: string[] = [];
  const { write } = Socket.prototype;
  t.mock.method(Socket.prototype, "write", function (this: Socket, ...args: [Uint8Array]): boolean {
    written.push(String(args[0]));
    return write.apply(this, args);
  });
  return written;
}

test("hits, absent keys, stubs and plain reads on the same lines", async (t) => {
  await using server = await startMemcached();
  await using client = new Memcached(server.address, { protocol: "classic" });
  const keys = Array.from({ length: 40 }, (_, i) => `key${i}`);
  const there = keys.filter((_, i) => i % 2 === 0);
  await client.setMany(there.map((key) => [key, `${key} stored`]));
  await play(server.address, `set stub ${STUB_FLAGS} 0 3|abc`);
  const loaded: string[] = [];
  const ask = (key: string): Promise<unknown> => {
    const load = (): string => {
      loaded.push(key);
      return `${key} loaded`;
    };
    return client.fetch(key, load, { ttl: 60, lease: 2 });
  };
  const written = record(t);
  const fetched = keys.map(ask);
  const plain = keys.map((key) => client.get(key));
  const items = keys.map((key) => client.getItem(key));
  const stub = [client.getItem("stub"), ask("stub"), client.get("stub"), client.has("stub")];
  // Everything is on its way once this read has been answered.
  await client.getAndTouch("key0", 60);
  const lines = written.join("").split("\n").filter((line) => /^gets /.test(line));
  assert.ok(lines.length <= 30, `${lines.length} lines for 82 questions`);
  const stored = new Set(there);
  const valueOf = (key: string): string => `${key} ${stored.has(key) ? "stored" : "loaded"}`;
  assert.deepEqual(await Promise.all(fetched), keys.map(valueOf));
  const known = keys.map((key) => stored.has(key) ? `${key} stored` : undefined);
  assert.deepEqual(await Promise.all(plain), known);
  const found = await Promise.all(items);
  assert.deepEqual(found.map((item) => item?.value), known);
  assert.ok(found.every((item) => item === undefined || item.cas > 0n));
  assert.deepEqual(await Promise.all(stub), [undefined, "stub loaded", undefined, false]);
  assert.deepEqual(loaded.sort(), [...keys.filter((key) => !stored.has(key)), "stub"].sort());
});

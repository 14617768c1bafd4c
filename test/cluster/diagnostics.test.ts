/** The channels: what is published and when, and that no key ever is. */
import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { inspect } from "node:util";
import { test, type TestContext } from "node:test";
import { Memcached, MemcachedError, ServerDownError } from "../../mod.ts";
import { startMemcached } from "../support/memcached.ts";
import { until } from "../support/until.ts";
import { PATIENT } from "../support/patient.ts";

type Message = Record<string, unknown>;

/** Collects all messages of a channel about one server, until the test ends. */
function listen(t: TestContext, name: string, address: string): Message[] {
  const messages: Message[] = [];
  // Filtered by server, because other tests may run in this process.
  const take = (message: unknown): void => {
    const { server } = message as { server: { address: string } };
    if (server.address === address) messages.push(message as Message);
  };
  subscribe(name, take);
  t.after(() => unsubscribe(name, take));
  return messages;
}

test("a command's start and end are the same object, with what is known at each", async (t) => {
  const server = await startMemcached();
  t.after(() => server.stop());
  const starts = listen(t, "memwire:command:start", server.address);
  const ends = listen(t, "memwire:command:end", server.address);
  const client = new Memcached(server.address, { prefix: "secret-prefix:" });
  t.after(() => client.close());

  const before = Date.now();
  const call = client.set("secret-key", "secret-value", { ttl: 5 });
  assert.equal(starts.length, 1);
  assert.equal(ends.length, 0);
  const [start] = starts as [Message];
  assert.equal("duration" in start, false);
  await call;
  assert.equal(ends[0], start);
  assert.equal(start.operation, "set");
  assert.deepEqual(start.server, { id: server.address, address: server.address });
  assert.equal(start.keyCount, 1);
  assert.ok((start.startTime as number) >= before && (start.startTime as number) <= Date.now());
  assert.ok((start.duration as number) > 0 && (start.duration as number) < 1_000);
  assert.equal("error" in start, false);

  await client.getMany(["secret-key", "secret-b", "secret-c"]);
  assert.equal(ends[1]?.keyCount, 3);
  await client.append("secret-b", "x");
  await client.set("text", "no number");
  await assert.rejects(client.increment("text"));
  const failed = ends.at(-1) as Message;
  assert.equal(failed.operation, "increment");
  assert.ok(failed.error instanceof MemcachedError);
  assert.equal((failed.error as MemcachedError).code, "SERVER_ERROR");
  assert.doesNotMatch(inspect([...starts, ...ends], { depth: 9, showHidden: true }), /secret/);
});

test("a call for which nothing is sent is published too", async (t) => {
  const server = await startMemcached();
  t.after(() => server.stop());
  await server.kill();
  const ends = listen(t, "memwire:command:end", server.address);
  const client = new Memcached(server.address, PATIENT);
  t.after(() => client.close());
  await assert.rejects(client.get("k"), ServerDownError);
  await assert.rejects(client.get("k"), ServerDownError);
  assert.equal(ends.length, 2);
  for (const { error } of ends) assert.ok(error instanceof ServerDownError);
});

test("an aborted call ends with an error that is not the caller's own reason", async (t) => {
  const server = await startMemcached();
  t.after(() => server.stop());
  const ends = listen(t, "memwire:command:end", server.address);
  const client = new Memcached(server.address, PATIENT);
  t.after(() => client.close());
  const controller = new AbortController();
  const call = client.get("k", { signal: controller.signal });
  controller.abort(new Error("mine"));
  await assert.rejects(call, /mine/);
  assert.equal(ends.length, 1);
  assert.ok(ends[0]?.error instanceof MemcachedError);
});

test("connections and servers: open, ready, up; close, down; and up again", async (t) => {
  const server = await startMemcached();
  t.after(() => server.stop());
  const connections = listen(t, "memwire:connection", server.address);
  const states = listen(t, "memwire:server", server.address);
  const client = new Memcached(server.address, PATIENT);
  t.after(() => client.close());
  await client.get("k");
  const ref = { id: server.address, address: server.address };
  assert.deepEqual(connections, [
    { server: ref, event: "open" },
    { server: ref, event: "ready", dialect: "meta", version: "1.6.18" },
  ]);
  assert.equal(states.length, 1);
  assert.deepEqual({ ...states[0] }, { server: ref, state: "up" });

  await server.kill();
  await until(async () => {
    await client.get("k").catch(() => undefined);
    return states.length === 2;
  });
  assert.equal(states[1]?.state, "down");
  assert.ok(states[1]?.error instanceof ServerDownError);
  assert.ok(connections.some(({ event }) => event === "close"));
  await server.restart();
  await until(() => states.length === 3, 6_000);
  assert.deepEqual(states[2], { server: ref, state: "up" });
});

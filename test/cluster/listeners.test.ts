/** Listeners of the connection channel that use the client while they handle a message. */
import assert from "node:assert/strict";
import { channel } from "node:diagnostics_channel";
import { test } from "node:test";
import { Memcached } from "../../mod.ts";
import type { ConnectionMessage } from "../../src/messages.ts";
import { behave, outcome, PATIENT, valueOf } from "../faults/rig.ts";
import { startScriptedServer } from "../support/scripted_server.ts";
import { until } from "../support/until.ts";

/** Runs `act` when `event` is first published for the server at `address`. */
function once(address: string, event: ConnectionMessage["event"], act: () => void): Disposable {
  const connection = channel("memwire:connection");
  const take = (message: unknown): void => {
    const told = message as ConnectionMessage;
    if (told.server.address !== address || told.event !== event) return;
    connection.unsubscribe(take);
    act();
  };
  connection.subscribe(take);
  return { [Symbol.dispose]: () => void connection.unsubscribe(take) };
}

test("a call made in the message that a connection closed: one new connection, for it and for calls in flight", async () => {
  for (const fault of ["end", "reset"] as const) {
    await using server = await startScriptedServer(async (peer) => {
      if (peer.index > 0) return await behave(peer);
      await peer.next();
      await peer[fault]();
    });
    const client = new Memcached(server.address, PATIENT);
    let inner: Promise<unknown> | undefined;
    using _ = once(server.address, "close", () => inner = client.get("inner"));
    assert.equal(await client.get("k"), valueOf("k"));
    assert.equal(await inner, valueOf("inner"));
    assert.equal(server.connections, 2);
    await client.close();
    await until(() => server.open === 0);
  }
});

test("a call made when a proxy has closed in answer to mn: mn is not sent again", async () => {
  await using server = await startScriptedServer(behave, { dialect: "closing" });
  const client = new Memcached(server.address, PATIENT);
  let inner: Promise<unknown> | undefined;
  using _ = once(server.address, "close", () => inner = client.get("inner"));
  assert.equal(await client.get("k"), valueOf("k"));
  assert.equal(await inner, valueOf("inner"));
  assert.equal(server.connections, 2);
  await client.close();
  await until(() => server.open === 0);
});

test("a client that is closed in the message that its connection is open: the call that opened it gets its answer", async () => {
  await using server = await startScriptedServer(behave);
  const client = new Memcached(server.address, { timeout: 1_000 });
  let closed: Promise<void> | undefined;
  using _ = once(server.address, "open", () => closed = client.close());
  assert.equal((await outcome(client.get("k"))).value, valueOf("k"));
  await closed;
  await until(() => server.open === 0);
});

test("a client that is closed in the message that its connection closed: calls in flight still get their answers", async () => {
  await using server = await startScriptedServer(async (peer) => {
    if (peer.index > 0) return await behave(peer);
    await peer.next();
    peer.end();
  });
  const client = new Memcached(server.address, PATIENT);
  const order: string[] = [];
  let closed: Promise<unknown> | undefined;
  using _ = once(server.address, "close", () => {
    closed = client.close().then(() => order.push("closed"));
  });
  const get = client.get("k").then((value) => {
    order.push("answered");
    return value;
  });
  assert.equal(await get, valueOf("k"));
  await closed;
  assert.deepEqual(order, ["answered", "closed"]);
  await until(() => server.open === 0);
});

/** A listener on a channel may abort the call that it is told about, or close the client. Then nothing is sent. */
import assert from "node:assert/strict";
import { channel } from "node:diagnostics_channel";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ClosedError, Memcached, type Selector } from "../../mod.ts";
import { startProxy } from "../support/fault_proxy.ts";
import { startMany, startMemcached } from "../support/memcached.ts";
import { DIALECTS, PATIENT } from "./rig.ts";

/** Calls `act` once, at the next message for which it is meant. */
function onNext(t: TestContext, name: string, act: (message: never) => boolean): void {
  const own = channel(name);
  const listen = (message: unknown): void => {
    if (act(message as never)) own.unsubscribe(listen);
  };
  own.subscribe(listen);
  t.after(() => own.unsubscribe(listen));
}

for (const protocol of DIALECTS) {
  test(`a listener aborts a call that begins: the value that was stored stays, ${protocol}`, async (t) => {
    await using server = await startMemcached();
    await using client = new Memcached(server.address, { ...PATIENT, protocol });
    const values: Record<string, unknown> = {
      text: "long",
      object: { a: 1 },
      bytes: new Uint8Array(9),
    };
    for (const [key, value] of Object.entries(values)) {
      await client.set(key, "old");
      const controller = new AbortController();
      const { signal } = controller;
      onNext(t, "memwire:command:start", () => {
        controller.abort(new Error("enough"));
        return true;
      });
      await assert.rejects(client.set(key, value, { signal }), /enough/);
      assert.equal(await client.get(key), "old");
    }
  });

  test(`a listener aborts a call that moves to another server, ${protocol}`, async (t) => {
    const servers = await startMany(2);
    t.after(() => Promise.all(servers.map((server) => server.stop())));
    const addresses = servers.map((server) => server.address);
    const options = { ...PATIENT, protocol, failover: "rehash" } as const;
    await using client = new Memcached(addresses, options);
    const [key, live] = addresses.map((address) =>
      Array.from({ length: 100 }, (_, i) => `key:${i}`)
        .find((name) => client.serverFor(name).address === address)
    ) as [string, string];
    await client.set(live, 1); // that server is connected
    await using other = new Memcached(addresses[1] as string, { protocol });
    await other.set(key, "old");
    await servers[0]?.kill();
    const controller = new AbortController();
    onNext(t, "memwire:server", ({ state }: { state: string }) => {
      if (state === "down") controller.abort(new Error("enough"));
      return state === "down";
    });
    await assert.rejects(client.set(key, { a: 1 }, { signal: controller.signal }), /enough/);
    assert.equal(await client.get(key), "old");
  });

  test(`a listener closes the client as a call begins: it is refused, and nothing is sent, ${protocol}`, async (t) => {
    await using server = await startMemcached();
    await using other = new Memcached(server.address, { protocol });
    await using client = new Memcached(server.address, { ...PATIENT, protocol });
    await client.set("k", "old");
    let closing: Promise<void> | undefined;
    onNext(t, "memwire:command:start", () => {
      closing = client.close();
      return true;
    });
    await assert.rejects(client.set("k", "new"), ClosedError);
    await closing;
    assert.equal(await other.get("k"), "old");
  });
}

test("a listener that hears of a connection's end closes the client once more: both calls resolve", async (t) => {
  await using server = await startMemcached();
  const client = new Memcached(server.address, PATIENT);
  await client.set("k", 1);
  let inner: Promise<void> | undefined;
  onNext(t, "memwire:connection", ({ event }: { event: string }) => {
    if (event === "close") inner = client.close();
    return event === "close";
  });
  await client.close();
  await inner;
});

test("a listener delivers a list while another one is taken: the last one counts, and all is closed", async (t) => {
  const servers = await startMany(3);
  t.after(() => Promise.all(servers.map((server) => server.stop())));
  const [a, b, c] = servers.map((server) => server.address) as [string, string, string];
  const client = new Memcached(a, PATIENT);
  await client.set("k", 1);
  onNext(t, "memwire:connection", ({ event }: { event: string }) => {
    if (event === "close") client.setServers(b);
    return event === "close";
  });
  client.setServers(c);
  assert.equal(client.serverFor("k").address, b);
  await client.set("k", 2);
  await client.close();
});

for (const protocol of DIALECTS) {
  test(`a hashing that throws while a server goes down: calls reject with its error, ${protocol}`, async (t) => {
    const hashing = (): Selector => ({
      pick: () => 0,
      order: () => {
        throw new Error("no order");
      },
    });
    await using server = await startMemcached();
    const options = { ...PATIENT, protocol, hashing, failover: "rehash" } as const;
    const client = new Memcached(["127.0.0.1:9", server.address], options);
    t.after(() => client.close());
    const calls = [client.get("a"), client.set("b", 1), client.get("c")];
    for (const call of await Promise.allSettled(calls)) {
      assert.equal(call.status, "rejected");
      assert.match(String(call.reason), /no order/);
    }
    await client.close();
  });

  test(`a call that is tied to a connection leaves the others when a listener drops the server, ${protocol}`, async (t) => {
    await using server = await startMemcached();
    await using other = await startMemcached();
    await using proxy = await startProxy(server);
    const client = new Memcached(proxy.address, { ...PATIENT, protocol });
    t.after(() => client.close());
    const lock = await client.lock("lock", { ttl: 10 });
    await client.set("k", 1);
    await sleep(20);
    onNext(
      t,
      "memwire:command:end",
      ({ operation, error }: { operation: string; error?: unknown }) => {
        const lost = operation === "cas" && error !== undefined;
        if (lost) client.setServers(other.address);
        return lost;
      },
    );
    proxy.endAll();
    const calls = [lock?.extend(), client.get("k"), client.set("l", 1)];
    await Promise.allSettled(calls); // each settles
    await client.close();
  });
}

/**
 * A batch that has not left when its connection ends is sent over the next one: no server has seen any of it.
 */
import assert from "node:assert/strict";
import { channel } from "node:diagnostics_channel";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Memcached, type MemcachedError } from "../../mod.ts";
import { startProxy } from "../support/fault_proxy.ts";
import { makeAuthority } from "../support/certificates.ts";
import { startMemcached } from "../support/memcached.ts";
import { type Peer, startScriptedServer } from "../support/scripted_server.ts";
import { DIALECTS, PATIENT } from "./rig.ts";

// Only Node reads its sockets before each immediate. Elsewhere the batch may leave before the end is seen.
const READS_FIRST = !("Deno" in globalThis || "Bun" in globalThis);

const text = "é".repeat(3_000);

for (const dialect of DIALECTS) {
  for (const tls of [false, true]) {
    const name = `${dialect}${tls ? ", TLS" : ""}`;
    test(`calls that have not left go over the next connection, each once, ${name}`, async () => {
      using authority = makeAuthority();
      const certificate = authority.issue(["IP:127.0.0.1"]);
      await using server = await startMemcached(tls ? { tls: certificate } : {});
      await using proxy = await startProxy(server);
      await using client = new Memcached(proxy.address, {
        ...PATIENT,
        protocol: dialect,
        ...(tls ? { tls: { ca: readFileSync(authority.ca) } } : {}),
      });
      await client.set("list", "a");
      await client.set("count", 1);
      await client.set("old", "x");
      const item = await client.getItem("old");
      await sleep(20);
      proxy.endAll();
      const bytes = new Uint8Array([1, 2, 3]);
      const calls = [
        client.append("list", "b"),
        client.set("object", { first: 1 }),
        client.set("other", { second: 2 }), // in the same buffer of the codec as the one before
        client.set("bytes", bytes),
        client.set("text", text),
        client.increment("count", 1),
        client.add("new", "n"),
        client.setMany([["many:1", { one: 1 }], ["many:2", "two"]]),
        client.getMany(["list", "count"]),
        client.get("list"),
        client.cas("old", "y", item!.cas),
        client.prepend("list", new Uint8Array([65])),
        client.delete("nothing"),
      ];
      bytes.fill(9);
      const results = await Promise.allSettled(calls);
      const read = await client.getMany<unknown>([
        ..."list object other bytes text count new many:1 many:2 old".split(" "),
      ]);
      if (READS_FIRST) {
        for (const result of results) assert.equal(result.status, "fulfilled");
        assert.deepEqual(
          read,
          new Map<string, unknown>([
            ["list", "Aab"],
            ["object", { first: 1 }],
            ["other", { second: 2 }],
            ["bytes", new Uint8Array([1, 2, 3])],
            ["text", text],
            ["count", 2],
            ["new", "n"],
            ["many:1", { one: 1 }],
            ["many:2", "two"],
            ["old", "y"],
          ]),
        );
      }
      for (const result of results) {
        if (result.status === "fulfilled") continue;
        assert.match(result.reason.code, /^(CONNECTION_LOST|PARTIAL)$/); // PARTIAL: setMany
      }
      assert.ok(String(read.get("list")).length <= 3, "nothing is done twice");
      assert.equal(proxy.connections, 2);
    });
  }

  test(`a batch of 64 KiB leaves at once, so its end is ambiguous, ${dialect}`, async () => {
    await using server = await startMemcached();
    await using proxy = await startProxy(server);
    await using client = new Memcached(proxy.address, { ...PATIENT, protocol: dialect });
    await client.set("before", 1);
    await sleep(20);
    proxy.endAll();
    const results = await Promise.allSettled([
      client.set("small", { small: true }),
      client.set("large", new Uint8Array(70_000).fill(7)),
    ]);
    for (const result of results) {
      assert.equal(result.status, "rejected");
      const { code, ambiguous } = result.reason as MemcachedError;
      assert.deepEqual([code, ambiguous], ["CONNECTION_LOST", true]);
    }
  });

  test(`a buffer that changes its length meanwhile: what it held at the call is stored, ${dialect}`, async () => {
    await using server = await startMemcached();
    await using proxy = await startProxy(server);
    await using client = new Memcached(proxy.address, { ...PATIENT, protocol: dialect });
    await client.set("before", 1);
    await sleep(20);
    proxy.endAll();
    const bytes = (length: number): Uint8Array => {
      const buffer = new (ArrayBuffer as ResizableBuffer)(length, { maxByteLength: 70_000 });
      return new Uint8Array(buffer).fill(length);
    };
    const [gone, shrunk, grown, huge] = [4, 8, 5, 6].map(bytes) as [
      ...[Uint8Array, Uint8Array, Uint8Array, Uint8Array],
    ];
    const calls = [
      client.set("gone", gone),
      client.set("shrunk", shrunk),
      client.set("other", "somebody else's secret"),
      client.set("grown", grown),
      client.set("huge", huge),
    ];
    structuredClone(gone, { transfer: [gone.buffer as ArrayBuffer] }); // as postMessage does
    resize(shrunk, 2);
    resize(grown, 60);
    resize(huge, 70_000);
    const results = await Promise.allSettled(calls);
    const sent = results.every(({ status }) => status === "fulfilled");
    if (READS_FIRST) assert.ok(sent);
    if (!sent) return;
    for (const [key, length] of Object.entries({ gone: 4, shrunk: 8, grown: 5, huge: 6 })) {
      assert.deepEqual(await client.get(key), new Uint8Array(length).fill(length), key);
    }
  });

  test(`calls that are made while a connection ends go over the next one, ${dialect}`, async (t) => {
    await using server = await startMemcached();
    await using proxy = await startProxy(server);
    await using client = new Memcached(proxy.address, { ...PATIENT, protocol: dialect });
    await client.set("before", 1);
    const calls: Promise<unknown>[] = [];
    const ended = channel("memwire:command:end");
    const listen = (message: unknown): void => {
      if ((message as { error?: unknown }).error === undefined || calls.length > 0) return;
      calls.push(
        client.set("small", { a: 1 }),
        client.setMany([["one", 1]]),
        client.set("large", "x".repeat(70_000)),
        client.append("before", "1"),
      );
    };
    ended.subscribe(listen);
    t.after(() => ended.unsubscribe(listen));
    proxy.spoil({ at: 0, by: "reset" });
    await assert.rejects(client.increment("before"), { code: "CONNECTION_LOST", ambiguous: true });
    assert.equal(calls.length, 4);
    await Promise.all(calls);
    assert.deepEqual(await client.get("small"), { a: 1 });
  });
}

test("a reply that nobody has asked for does not answer a call that has not left", async () => {
  const stored: string[] = [];
  let peer: Peer | undefined;
  await using server = await startScriptedServer(async (newest) => {
    peer = newest;
    for (;;) {
      const command = await newest.next();
      if (command.name === "set") stored.push(`${newest.index} ${command.key}`);
      await newest.write("STORED\r\n");
    }
  }, { dialect: "classic" });
  await using client = new Memcached(server.address, { ...PATIENT, protocol: "classic" });
  await client.set("before", 1);
  await sleep(20);
  const stray = peer?.write("STORED\r\n");
  const call = client.set("k", "v");
  await stray;
  if (READS_FIRST) {
    await call;
    assert.deepEqual(stored, ["0 before", "1 k"], "not over the connection that is out of step");
  } else await Promise.allSettled([call]);
});

type ResizableBuffer = new (length: number, options: { maxByteLength: number }) => ArrayBuffer;

function resize(bytes: Uint8Array, length: number): void {
  (bytes.buffer as unknown as { resize(length: number): void }).resize(length);
}

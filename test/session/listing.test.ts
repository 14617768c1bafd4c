import assert from "node:assert/strict";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { test, type TestContext } from "node:test";
import {
  CorruptValueError,
  Memcached,
  MemcachedError,
  SessionStore,
  type SessionStoreOptions,
  UnsupportedError,
} from "../../mod.ts";
import { type MemcachedServer, startMany, startMemcached } from "../support/memcached.ts";
import { startGate } from "./gate.ts";
import { DIALECTS, type Fields, rawClient, storedSession, Stores } from "./stores.ts";
import { PATIENT } from "../support/patient.ts";

/** Collects everything that an iterator yields. */
async function all<T>(iterator: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const one of iterator) found.push(one);
  return found;
}

/** Collects warnings until the end of the test. */
function listen(t: TestContext): Error[] {
  const warnings: Error[] = [];
  const take = (warning: Error): number => warnings.push(warning);
  process.on("warning", take);
  t.after(() => process.off("warning", take));
  return warnings;
}

/** Starts servers for this test alone, because the listings show everything that they hold. */
async function setUp(
  t: TestContext,
  protocol: (typeof DIALECTS)[number],
  count = 1,
): Promise<{ stores: Stores; servers: MemcachedServer[]; addresses: string[] }> {
  const servers = await startMany(count);
  const stores = new Stores(protocol);
  t.after(async () => {
    await stores.stop();
    for (const server of servers) await server.stop();
  });
  return { stores, servers, addresses: servers.map(({ address }) => address) };
}

for (const protocol of DIALECTS) {
  test(`onIteration "warning": does nothing, and warns at each call (${protocol})`, async (t) => {
    const warnings = listen(t);
    const gate = await startGate("127.0.0.1:1");
    t.after(() => gate.stop());
    const stores = new Stores(protocol);
    t.after(() => stores.stop());
    for (const options of [{}, { onIteration: "warning" as const }]) {
      const store = stores.make({ servers: gate.address, ...options });
      for (let n = 0; n < 2; n++) {
        warnings.length = 0;
        assert.deepEqual(await all(store.keys()), []);
        assert.deepEqual(await all(store.entries()), []);
        assert.equal(await store.size(), 0);
        assert.equal(await store.clear(), undefined);
        await sleep(10);
        const ours = warnings.filter(({ name }) => name === "MemwireWarning");
        assert.deepEqual(ours.map(({ message }) => /\.(\w+)\(\)/.exec(message)?.[1]), [
          "keys",
          "entries",
          "size",
          "clear",
        ]);
      }
      store.keys();
      await sleep(10);
      assert.equal(warnings.at(-1)?.name, "MemwireWarning", "with the call, not with the first id");
    }
    assert.equal(gate.received.length, 0);
  });

  test(`onIteration "none": does nothing (${protocol})`, async (t) => {
    const warnings = listen(t);
    const { stores, addresses } = await setUp(t, protocol);
    const store = stores.make({ servers: addresses, onIteration: "none" });
    const id = await storedSession(store, { a: 1 });
    assert.deepEqual(await all(store.keys()), []);
    assert.deepEqual(await all(store.entries()), []);
    assert.equal(await store.size(), 0);
    await store.clear();
    assert.equal(await store.has(id), true);
    await sleep(10);
    assert.deepEqual(warnings.filter(({ name }) => name === "MemwireWarning"), []);
  });

  test(`onIteration "error": rejects (${protocol})`, async (t) => {
    const { stores, addresses } = await setUp(t, protocol);
    const store = stores.make({ servers: addresses, onIteration: "error" });
    const id = await storedSession(store, { a: 1 });
    const keys = store.keys();
    await assert.rejects(keys.next(), UnsupportedError);
    assert.deepEqual(await keys.next(), { done: true, value: undefined });
    await assert.rejects(all(store.entries()), UnsupportedError);
    await assert.rejects(store.size(), UnsupportedError);
    await assert.rejects(store.clear(), UnsupportedError);
    assert.equal(await store.has(id), true);
  });

  test(`onIteration "scan": lists its own namespace, on all servers (${protocol})`, async (t) => {
    const { stores, addresses } = await setUp(t, protocol, 2);
    const store = stores.make({ servers: addresses, onIteration: "scan", namespace: "mine:" });
    assert.deepEqual(await all(store.keys()), []);
    assert.equal(await store.size(), 0);
    const expected = new Map<string, Fields>();
    for (let n = 0; n < 250; n++) {
      const id = n % 2 === 0 ? await storedSession(store, { n }) : `id-${n}-é%`;
      if (n % 2 !== 0) await store.set(id, { n });
      expected.set(id, { n });
    }
    const others = stores.make({ servers: addresses, namespace: "min" });
    await others.set("e", { a: 1 });
    await others.set("e:", { a: 1 }); // its key is "mine:" itself, which belongs to no id
    const foreign = rawClient(addresses[0] as string);
    t.after(() => foreign.close());
    await foreign.set("theirs", { data: new Uint8Array(3), flags: 1 });

    const client = new Memcached(addresses, PATIENT);
    const holders = [...expected.keys()].map((id) => client.serverFor(store.mcKey(id)).id);
    assert.equal(new Set(holders).size, 2, "both servers hold some");
    assert.deepEqual((await all(store.keys())).sort(), [...expected.keys()].sort());
    assert.deepEqual(new Map(await all(store.entries())), expected);
    assert.equal(await store.size(), 250);

    await store.clear();
    assert.deepEqual(await all(store.keys()), []);
    assert.equal(await store.size(), 0);
    assert.deepEqual(await others.get("e"), { a: 1 });
    assert.deepEqual(await others.get("e:"), { a: 1 });
    assert.equal(await foreign.has("theirs"), true);
  });

  test(`"scan": clear deletes keys one by one, never by flush_all (${protocol})`, async (t) => {
    const { stores, addresses } = await setUp(t, protocol);
    const gate = await startGate(addresses[0] as string);
    t.after(() => gate.stop());
    const store = stores.make({ servers: gate.address, onIteration: "scan" });
    const ids = await Promise.all([1, 2, 3].map((a) => storedSession(store, { a })));
    gate.clear();
    await store.clear();
    const deletes = gate.lines.filter((line) => /^(md|delete) /.test(line));
    assert.deepEqual(
      deletes.map((line) => line.split(" ")[1]).sort(),
      ids.map((id) => store.mcKey(id)).sort(),
    );
    const rest = gate.lines.filter((line) => !deletes.includes(line));
    assert.ok(rest.every((line) => line.startsWith("lru_crawler metadump")), rest.join());
  });

  test(`"scan" with a secret: ids are unknown, size and clear work (${protocol})`, async (t) => {
    const { stores, addresses } = await setUp(t, protocol);
    const options = { servers: addresses, onIteration: "scan", secret: "sixteen bytes at least" };
    const store = stores.make(options as SessionStoreOptions);
    const id = await storedSession(store, { a: 1 });
    await storedSession(store, { a: 2 });
    await assert.rejects(all(store.keys()), UnsupportedError);
    await assert.rejects(all(store.entries()), UnsupportedError);
    assert.equal(await store.size(), 2);
    await store.clear();
    assert.equal(await store.size(), 0);
    assert.equal(await store.has(id), false);
  });

  test(`"scan" under a client's prefix, and with no namespace (${protocol})`, async (t) => {
    const { stores, addresses } = await setUp(t, protocol);
    const client = new Memcached(addresses, { protocol, prefix: "app:" });
    t.after(() => client.close());
    const store = new SessionStore({ client, namespace: "", onIteration: "scan" });
    await store.set("one", { a: 1 });
    const other = stores.make({ servers: addresses, namespace: "" });
    await other.set("two", { a: 2 });
    assert.deepEqual(await all(store.entries()), [["one", { a: 1 }]]);
    await store.clear();
    assert.equal(await store.size(), 0);
    assert.equal(await other.has("two"), true);
  });

  test(`"scan": a value that cannot be read rejects; a caller may stop early (${protocol})`, async (t) => {
    const { stores, addresses } = await setUp(t, protocol);
    const store = stores.make({ servers: addresses, onIteration: "scan" });
    for (let n = 0; n < 5; n++) await store.set(`id${n}`, { n });
    for await (const [id, value] of store.entries()) {
      assert.deepEqual(value, { n: Number(id.slice(2)) });
      break;
    }
    const raw = rawClient(addresses[0] as string);
    t.after(() => raw.close());
    await raw.set(store.mcKey("bad"), { data: new Uint8Array([1]), flags: 1 });
    await assert.rejects(all(store.entries()), CorruptValueError);
    assert.equal(await store.size(), 6);
  });

  test(`"scan": a server that refuses, one that is down (${protocol})`, async (t) => {
    const server = await startMemcached({ args: ["-X"] });
    const stores = new Stores(protocol);
    t.after(async () => {
      await stores.stop();
      await server.stop();
    });
    const store = stores.make({ servers: server.address, onIteration: "scan" });
    await store.set("id", { a: 1 });
    await assert.rejects(store.size(), UnsupportedError);
    await assert.rejects(store.clear(), UnsupportedError);
    await assert.rejects(all(store.keys()), UnsupportedError);
    assert.equal(await store.has("id"), true);
    await server.kill();
    await assert.rejects(store.size(), MemcachedError);
  });
}

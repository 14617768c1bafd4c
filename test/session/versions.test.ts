import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { startGate } from "./gate.ts";
import { describeDialects, type Fields, someId, storedSession } from "./stores.ts";

describeDialects("load and save", (stores) => {
  test("load: value, version and seconds to live, set anew in one round trip", async (t) => {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    const store = stores.make<unknown>({ servers: gate.address, ttl: 400 });
    const id = someId();
    assert.equal(await store.load(id), undefined);
    await store.set(id, [1, 2], { ttl: 20 });
    gate.clear();
    const loaded = await store.load(id);
    assert.deepEqual(loaded?.value, [1, 2]);
    assert.notEqual(loaded?.version, 0n);
    assert.equal(loaded?.ttl, 400);
    await stores.assertTtl(store.mcKey(id), 400);
    // Classic writes both of its commands at once.
    assert.equal(gate.lines.length, stores.protocol === "meta" ? 1 : 2);
  });

  test("load: of a Session the fields, and its own time to live", async (t) => {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    const store = stores.make({ servers: gate.address, ttl: 400 });
    const session = await store.open();
    session.set("a", 1).ttl = 30;
    await store.storeSession(session);
    gate.clear();
    const loaded = await store.load(session.id);
    assert.deepEqual(loaded?.value, { a: 1 });
    assert.equal(loaded?.ttl, 30);
    await stores.assertTtl(store.mcKey(session.id), 30);
    assert.match(gate.lines.at(-1) as string, /(T30|touch \S+ 30)/);
    assert.equal(gate.lines.length, stores.protocol === "meta" ? 2 : 3);
  });

  test("load: what never expires lives for ever", async () => {
    for (const ttl of [0, Infinity]) {
      const store = stores.make<number>({ ttl });
      const id = someId();
      await store.set(id, 1);
      assert.equal((await store.load(id))?.ttl, Infinity);
      await stores.assertTtl(store.mcKey(id), Infinity);
    }
  });

  test("save with a version: stored, conflict, gone", async () => {
    const store = stores.make<number>({ ttl: 400 });
    const id = someId();
    await store.set(id, 1);
    const [one, two] = [await store.load(id), await store.load(id)];
    assert.ok(one !== undefined && two !== undefined, "both are there");
    assert.equal(one.version, two.version, "a new time to live is no new version");
    assert.equal(await store.save(id, 2, { version: one.version, ttl: 30 }), "stored");
    await stores.assertTtl(store.mcKey(id), 30);
    assert.equal(await store.save(id, 3, { version: two.version }), "conflict");
    assert.equal(await store.get(id), 2);
    const three = await store.load(id);
    await store.delete(id);
    assert.equal(await store.save(id, 4, { version: three?.version as bigint }), "gone");
    assert.equal(await store.has(id), false);
  });

  test("save without a version: stored if the id is free, else conflict", async () => {
    const store = stores.make<number>({ ttl: 400 });
    const id = someId();
    assert.equal(await store.save(id, 1, { ttl: 30 }), "stored");
    await stores.assertTtl(store.mcKey(id), 30);
    assert.equal(await store.save(id, 2), "conflict");
    assert.equal(await store.get(id), 1);
    await store.delete(id);
    assert.equal(await store.save(id, 3), "stored");
    await stores.assertTtl(store.mcKey(id), 400);
  });

  test("touching and reading leave a version valid, writing does not", async () => {
    const store = stores.make({ alwaysSave: true });
    const id = await storedSession(store, { a: 1 });
    const session = await store.open(id);
    session.set("b", 2);
    const other = await store.open(id);
    assert.equal(await store.storeSession(other), "touched");
    await store.touch(id);
    await store.get(id);
    const loaded = await store.load(id);
    assert.equal(await store.storeSession(session), "stored");
    assert.equal(await store.save(id, {}, { version: loaded?.version as bigint }), "conflict");
    assert.deepEqual(await store.get(id), { a: 1, b: 2 });
  });
});

describeDialects("a serializer instead of the V8 format", (stores) => {
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();

  for (const own of [0, 7, 0x80000000, 0xfffff9ff]) {
    test(`flags ${own}: values and sessions come back, and what is unchanged stays`, async () => {
      const serializer = {
        serialize: (value: unknown) => ({
          data: encoder.encode(JSON.stringify(value)),
          flags: own,
        }),
        deserialize(data: Uint8Array, flags: number): unknown {
          assert.equal(flags, own);
          return JSON.parse(decoder.decode(data));
        },
      };
      const store = stores.make<Fields>({ serializer });
      const id = someId();
      await store.set(id, { a: [1] });
      assert.equal((await stores.stored(store.mcKey(id)))?.flags, own);
      assert.deepEqual(await store.get(id), { a: [1] });
      assert.equal(await store.storeSession(await store.open(id)), "unchanged");
      const session = await store.open();
      session.set("b", 2).ttl = 50;
      assert.equal(await store.storeSession(session), "stored");
      const stored = await stores.stored(store.mcKey(session.id));
      assert.equal(stored?.flags, (own | 512) >>> 0);
      assert.deepEqual(JSON.parse(decoder.decode(stored?.bytes)), [
        { b: 2 },
        session.createdAt,
        50,
      ]);
      const again = await store.open(session.id);
      assert.equal(again.get("b"), 2);
      assert.equal(await store.storeSession(again), "unchanged");
      again.set("c", 3);
      session.set("d", 4);
      assert.equal(await store.storeSession(again), "stored");
      assert.equal(await store.storeSession(session), "stored");
      assert.deepEqual(await store.get(session.id), { b: 2, c: 3, d: 4 });
    });
  }

  test("a session that lives for ever does so with JSON too, which has no Infinity", async () => {
    const serializer = {
      serialize: (value: unknown) => ({ data: Buffer.from(JSON.stringify(value)), flags: 0 }),
      deserialize: (data: Uint8Array): unknown => JSON.parse(Buffer.from(data).toString()),
    };
    const store = stores.make<Fields>({ serializer, ttl: 60 });
    const session = await store.open();
    session.set("a", 1).ttl = Infinity;
    await store.storeSession(session);
    await store.open(session.id);
    await stores.assertTtl(store.mcKey(session.id), Infinity);
  });

  test("what a serializer may not return is refused, and nothing is sent", async () => {
    const wrong = [
      { data: "text", flags: 0 },
      { data: new Uint8Array(), flags: 512 },
      { data: new Uint8Array(), flags: 1024 },
      { data: new Uint8Array(), flags: -1 },
      { data: new Uint8Array(), flags: 2 ** 32 },
      { data: new Uint8Array(), flags: 1.5 },
    ];
    for (const result of wrong) {
      const serializer = { serialize: () => result as never, deserialize: () => 1 };
      const store = stores.make<unknown>({ serializer });
      const id = someId();
      await assert.rejects(store.set(id, 1), { code: "ERR_INVALID_ARGUMENT" });
      assert.equal(await store.has(id), false);
    }
  });
});

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { describeDialects, type Fields, someId } from "./stores.ts";

describeDialects("a serializer instead of the V8 format", (stores) => {
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();

  for (const own of [0, 7, 0x80000000, 0xfffff1ff]) {
    test(`flags ${own}: values and sessions come back, and unchanged ones are not written`, async () => {
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

  test("a session without an end keeps having none with JSON, which has no Infinity", async () => {
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

  test("a wrong result of a serializer is refused, and nothing is sent", async () => {
    const wrong = [
      { data: "text", flags: 0 },
      { data: new Uint8Array(), flags: 512 },
      { data: new Uint8Array(), flags: 1024 },
      { data: new Uint8Array(), flags: 2048 },
      { data: new Uint8Array(), flags: 256 | 2048 },
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

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createDecipheriv, createHash, createHmac, hkdfSync } from "node:crypto";
import { test } from "node:test";
import { CorruptValueError, Memcached, SessionStore, ValueTooLargeError } from "../../mod.ts";
import { deserialize } from "../../src/v8/mod.ts";
import { startMemcached } from "../support/memcached.ts";
import {
  describeDialects,
  type Fields,
  fieldsOf,
  someId,
  type Stored,
  storedSession,
} from "./stores.ts";

const SECRET = "a secret, sixteen bytes at least";
const SEALED = 1024;

describeDialects("a store with a secret", (stores) => {
  /** Calls every method that reads a value. None of them may return a session or a value. */
  async function assertRefused(store: SessionStore<Fields>, id: string): Promise<void> {
    const refused = (error: unknown): boolean =>
      error instanceof CorruptValueError && (error.flags & SEALED) === SEALED;
    await assert.rejects(store.open(id), refused);
    await assert.rejects(store.get(id), refused);
    await assert.rejects(store.pop(id), refused);
    await assert.rejects(store.update(id, () => ({})), refused);
    await assert.rejects(store.setDefault(id, {}), refused);
  }

  async function standing(key: string): Promise<Stored> {
    const stored = await stores.stored(key);
    assert.ok(stored, "nothing is there");
    return stored;
  }

  const put = (key: string, data: Uint8Array, flags: number): Promise<void> =>
    stores.raw.set(key, { data, flags });

  test("hides the id: the session is stored under the mcKey only", async () => {
    const store = stores.make({ secret: SECRET });
    const id = await storedSession(store, { a: 1 });
    assert.ok(!store.mcKey(id).includes(id));
    assert.notEqual(await stores.stored(store.mcKey(id)), undefined);
    assert.equal(await stores.stored(stores.namespace + id), undefined);
  });

  test("the sealed format is the documented one: node:crypto alone opens it", async (t) => {
    const client = new Memcached(stores.address, { protocol: stores.protocol, prefix: "p:" });
    t.after(() => client.close());
    const store = new SessionStore({ client, namespace: stores.namespace, secret: SECRET });
    const id = await storedSession(store, { user: "ada" });
    const mcKey = store.mcKey(id);
    const { bytes, flags } = await standing(`p:${mcKey}`);
    const derived = Buffer.from(hkdfSync("sha256", SECRET, "", "memwire value", 32));
    const name = createHash("sha256").update(derived).digest().subarray(0, 4);
    assert.deepEqual(Buffer.from(bytes.subarray(0, 4)), name);
    const own = createHmac("sha256", derived).update(mcKey).digest();
    const decipher = createDecipheriv("aes-256-gcm", own, bytes.subarray(4, 16));
    decipher.setAAD(Buffer.from(`${flags} p:${mcKey}`));
    decipher.setAuthTag(bytes.subarray(-16));
    const plain = Buffer.concat([decipher.update(bytes.subarray(16, -16)), decipher.final()]);
    assert.deepEqual((deserialize(plain) as unknown[])[0], { user: "ada" });
  });

  test("seals the value: nothing of it is visible, and no two sealed values are the same", async () => {
    const store = stores.make({ secret: SECRET });
    const seen = new Set<string>();
    const id = someId();
    for (let n = 0; n < 3; n++) {
      await store.set(id, { user: "ada lovelace" });
      const { bytes, flags } = await standing(store.mcKey(id));
      assert.equal(flags, 256 | SEALED);
      assert.ok(!Buffer.from(bytes).includes("lovelace"));
      seen.add(Buffer.from(bytes).toString("hex"));
      assert.deepEqual(await store.get(id), { user: "ada lovelace" });
    }
    assert.equal(seen.size, 3);
    const session = await store.open(await storedSession(store, { user: "ada lovelace" }));
    const { bytes, flags } = await standing(store.mcKey(session.id));
    assert.equal(flags, 256 | 512 | SEALED);
    assert.ok(!Buffer.from(bytes).includes("lovelace"));
    assert.deepEqual(fieldsOf(session), { user: "ada lovelace" });
    assert.equal(await store.storeSession(session), "unchanged");
  });

  test("every byte flipped: an error, never a session", async () => {
    const store = stores.make({ secret: SECRET });
    const id = await storedSession(store, { a: 1 });
    const key = store.mcKey(id);
    const { bytes, flags } = await standing(key);
    for (let at = 0; at < bytes.length; at++) {
      for (const mask of [1, 0x80, 0xff]) {
        const spoilt = Uint8Array.from(bytes);
        spoilt[at] = (spoilt[at] as number) ^ mask;
        await put(key, spoilt, flags);
        // The first four bytes name the secret; an unknown name counts as a secret that was dropped.
        if (at < 4) assert.equal((await store.open(id)).isNew, true);
        else await assert.rejects(store.open(id), CorruptValueError, `byte ${at}`);
        await assert.rejects(store.get(id), CorruptValueError, `byte ${at}`);
      }
      if (at % 16 === 8) await assertRefused(store, id);
    }
    await put(key, bytes, flags);
    assert.deepEqual(await store.get(id), { a: 1 });
  });

  test("every other length: an error", async () => {
    const store = stores.make({ secret: SECRET });
    const id = await storedSession(store, { a: 1 });
    const key = store.mcKey(id);
    const { bytes, flags } = await standing(key);
    for (let length = 0; length < bytes.length; length++) {
      await put(key, bytes.subarray(0, length), flags);
      await assert.rejects(store.open(id), CorruptValueError, `${length} bytes`);
      await put(key, bytes.subarray(bytes.length - length), flags);
      await assert.rejects(store.get(id), CorruptValueError, `the last ${length} bytes`);
    }
    await put(key, Buffer.concat([bytes, Buffer.alloc(1)]), flags);
    await assertRefused(store, id);
  });

  test("other flags: an error", async () => {
    const store = stores.make({ secret: SECRET });
    const id = await storedSession(store, { a: 1 });
    const key = store.mcKey(id);
    const { bytes, flags } = await standing(key);
    for (let bit = 1; bit <= 0x8000; bit *= 2) {
      if ((flags ^ bit) === 2304) continue; // a marker's, which hold no value
      await put(key, bytes, flags ^ bit);
      await assert.rejects(store.open(id), CorruptValueError, `flags ${flags ^ bit}`);
      await assert.rejects(store.get(id), CorruptValueError, `flags ${flags ^ bit}`);
    }
  });

  test("two values swapped: an error for both", async () => {
    const store = stores.make({ secret: SECRET });
    const [one, two] = [await storedSession(store, { a: 1 }), await storedSession(store, { a: 2 })];
    const [first, second] = [await standing(store.mcKey(one)), await standing(store.mcKey(two))];
    await put(store.mcKey(one), second.bytes, second.flags);
    await put(store.mcKey(two), first.bytes, first.flags);
    await assertRefused(store, one);
    await assertRefused(store, two);
  });

  test("the value of the same id in another namespace: an error", async () => {
    const [one, two] = ["one:", "two:"].map((namespace) =>
      stores.make({ secret: SECRET, namespace: stores.namespace + namespace })
    ) as [SessionStore<Fields>, SessionStore<Fields>];
    const id = await storedSession(one, { admin: true });
    const { bytes, flags } = await standing(one.mcKey(id));
    await put(two.mcKey(id), bytes, flags);
    await assertRefused(two, id);
  });

  test("sealed by a secret that was dropped: absent for open, an error for the others", async () => {
    const [old, store] = [
      stores.make({ secret: "the removed secret" }),
      stores.make({ secret: SECRET }),
    ];
    const id = await storedSession(old, { a: 1 });
    const session = await store.open(id);
    assert.equal(session.isNew, true);
    assert.notEqual(session.id, id);
    session.set("b", 1);
    assert.equal(await store.storeSession(session), "stored", "the visitor is not locked out");
    const refused = (error: unknown): boolean => error instanceof CorruptValueError;
    await assert.rejects(store.get(id), refused);
    await assert.rejects(store.pop(id), refused);
    await assert.rejects(store.update(id, () => ({})), refused);
    assert.equal(await store.has(id), true);
    assert.deepEqual(await old.get(id), { a: 1 });
    assert.equal(await store.delete(id), true, "what cannot be opened can be deleted");
  });

  test("not sealed: an error, because anybody may have written it", async () => {
    const store = stores.make({ secret: SECRET });
    const plain = stores.make();
    const forged = await storedSession(plain, { admin: true });
    const { bytes, flags } = await standing(plain.mcKey(forged));
    const id = someId();
    await put(store.mcKey(id), bytes, flags);
    await assert.rejects(store.open(id), CorruptValueError);
    await assert.rejects(store.get(id), CorruptValueError);
    await put(store.mcKey(id), bytes, flags | SEALED);
    await assertRefused(store, id);
  });

  test("sealed, and the store has no secret: an error", async () => {
    const [store, plain] = [stores.make({ secret: SECRET }), stores.make()];
    const id = await storedSession(store, { a: 1 });
    const { bytes, flags } = await standing(store.mcKey(id));
    await put(plain.mcKey(id), bytes, flags);
    await assertRefused(plain, id);
  });

  test("maxBytes counts the sealed bytes; a larger value is refused, and the old one stays", async () => {
    for (const [secret, overhead] of [[undefined, 0], [SECRET, 32]] as const) {
      const maxBytes = 2000;
      const store = stores.make<string>({ maxBytes, ...(secret === undefined ? {} : { secret }) });
      const id = someId();
      // Version, tag and length of a one-byte string take 5 bytes.
      const largest = "x".repeat(maxBytes - 5 - overhead);
      await store.set(id, largest);
      assert.equal((await standing(store.mcKey(id))).bytes.length, maxBytes);
      for (const write of [store.set(id, `${largest}x`), store.update(id, () => `${largest}x`)]) {
        await assert.rejects(
          write,
          (error) =>
            error instanceof ValueTooLargeError && !error.oldValueLost &&
            error.message.includes("2001") && error.message.includes("2000"),
        );
      }
      assert.equal(await store.get(id), largest);
    }
  });

  test("a client's own prefix is bound too", async (t) => {
    const client = new Memcached(stores.address, {
      protocol: stores.protocol,
      prefix: stores.namespace,
    });
    t.after(() => client.close());
    const prefixed = new SessionStore({ client, namespace: "", secret: SECRET });
    const id = await storedSession(prefixed, { a: 1 });
    assert.deepEqual(await prefixed.get(id), { a: 1 });
    const { bytes, flags } = await standing(stores.namespace + prefixed.mcKey(id));
    const bare = stores.make({ namespace: "", secret: SECRET });
    assert.equal(bare.mcKey(id), prefixed.mcKey(id));
    await put(bare.mcKey(id), bytes, flags);
    await assertRefused(bare, id);
  });

  test("a serializer's values are sealed as well", async () => {
    const serializer = {
      serialize: (value: unknown) => ({ data: Buffer.from(JSON.stringify(value)), flags: 7 }),
      deserialize: (data: Uint8Array): unknown => JSON.parse(Buffer.from(data).toString()),
    };
    const store = stores.make({ secret: SECRET, serializer });
    const session = await store.open(await storedSession(store, { user: "ada" }));
    assert.deepEqual(fieldsOf(session), { user: "ada" });
    const { bytes, flags } = await standing(store.mcKey(session.id));
    assert.equal(flags, 7 | 512 | SEALED);
    assert.ok(!Buffer.from(bytes).includes("ada"));
  });
});

test("the default of maxBytes is a million: below it memcached's own limit never strikes", async (t) => {
  const server = await startMemcached();
  t.after(() => server.stop());
  const store = new SessionStore<string>({ servers: server.address });
  t.after(() => store.close());
  const largest = "x".repeat(1_000_000 - 6);
  await store.set("id", largest);
  await assert.rejects(store.set("id", `${largest}x`), ValueTooLargeError);
  assert.equal(await store.get("id"), largest);
});

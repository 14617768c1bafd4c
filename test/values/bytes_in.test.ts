/** Bytes whose buffer changes, shrinks or goes away affect only their own call, and the connection stays in step. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Memcached, SessionStore } from "../../mod.ts";
import { type MemcachedServer, startMemcached } from "../support/memcached.ts";
import { PATIENT } from "../faults/rig.ts";

type Write = (client: Memcached, key: string, bytes: Uint8Array) => Promise<unknown>;

const serializer = {
  serialize: (data: unknown) => ({ data: data as Uint8Array, flags: 5 }),
  deserialize: (data: Uint8Array) => data,
};

/** The calls that take bytes. */
const WRITES: Readonly<Record<string, Write>> = {
  set: (m, key, bytes) => m.set(key, bytes),
  "set of an ArrayBuffer": (m, key, bytes) => m.set(key, bytes.buffer),
  setMany: (m, key, bytes) => m.setMany([[`${key}-a`, "a"], [key, bytes], [`${key}-b`, "b"]]),
  add: (m, key, bytes) => m.add(key, bytes),
  append: async (m, key, bytes) => {
    await m.set(key, new Uint8Array());
    return await m.append(key, bytes);
  },
  update: (m, key, bytes) => m.update(key, () => bytes),
  fetch: (m, key, bytes) => m.fetch(key, () => bytes, { ttl: 60 }),
};

const SIZES = [100, 70_000]; // the first is copied into a batch with others, the second is sent as a chunk by itself

/** What can be done to bytes after the call. */
const HARM: Readonly<Record<string, (bytes: Uint8Array) => void>> = {
  "written over": (bytes) => bytes.fill(9),
  transferred: (bytes) => void structuredClone(bytes, { transfer: [bytes.buffer as ArrayBuffer] }),
  shrunk: (bytes) => (bytes.buffer as ArrayBuffer & { resize(bytes: number): void }).resize(10),
};

const REFUSED = { name: "TypeError", code: "ERR_INVALID_ARGUMENT", message: /^the bytes are gone/ };

function bytesOf(size: number, resizable = false): Uint8Array {
  const options = resizable ? [{ maxByteLength: size }] : [];
  const buffer = new (ArrayBuffer as new (size: number, ...options: object[]) => ArrayBuffer)(
    size,
    ...options,
  );
  return new Uint8Array(buffer).fill(7);
}

/** An instance that reports a wrong length. */
class Liar extends Uint8Array {
  override get byteLength(): number {
    return 1_000;
  }
  override get length(): number {
    return 3;
  }
}

describe("bytes that are stored", () => {
  let server: MemcachedServer;
  const clients: Memcached[] = [];
  before(async () => {
    server = await startMemcached();
  });
  after(async () => {
    for (const client of clients) await client.close();
    await server.stop();
  });

  function connect(options = {}): Memcached {
    const client = new Memcached(server.address, { ...PATIENT, ...options });
    clients.push(client);
    return client;
  }

  /** Asserts that other calls of the same tick all succeed. */
  async function assertHarmless(
    client: Memcached,
    write: () => Promise<unknown>,
  ): Promise<unknown> {
    const before = client.set("before", "b");
    const written = write().then(() => undefined, (error: unknown) => error);
    const behind = [client.set("behind", "c"), client.get("nothing")];
    await before;
    assert.deepEqual(await Promise.all(behind), [undefined, undefined]);
    assert.equal(await client.get("behind"), "c");
    return await written;
  }

  for (const protocol of ["meta", "classic"] as const) {
    for (const warm of [true, false]) {
      const when = `${protocol}, ${warm ? "connected" : "not yet connected"}`;
      for (const [what, write] of Object.entries(WRITES)) {
        test(`${what}, ${when}: bytes that are gone are refused, and other calls are not harmed`, async () => {
          for (const size of SIZES) {
            const client = connect({ protocol });
            if (warm) await client.get("a");
            const bytes = bytesOf(size);
            structuredClone(bytes, { transfer: [bytes.buffer as ArrayBuffer] });
            const key = `gone-${what.replaceAll(" ", "-")}-${protocol}-${warm}-${size}`;
            const error = await assertHarmless(client, async () => await write(client, key, bytes));
            if (what === "fetch") {
              // Callers still get the loader's value, even if it cannot be stored.
              assert.equal(error, undefined);
              assert.equal(await client.get(key), undefined);
              continue;
            }
            assert.ok(error instanceof TypeError, String(error));
            assert.match(error.message, REFUSED.message);
            assert.equal((error as { code?: string }).code, REFUSED.code);
          }
        });
      }

      for (const [harm, spoil] of Object.entries(HARM)) {
        test(`set and add, ${when}: bytes that are ${harm} after the call are stored as they were`, async () => {
          for (const size of SIZES) {
            for (const what of ["set", "add", "setMany"]) {
              const client = connect({ protocol });
              if (warm) await client.get("a");
              const bytes = bytesOf(size, harm === "shrunk");
              const key = `${harm.replaceAll(" ", "-")}-${what}-${protocol}-${warm}-${size}`;
              const error = await assertHarmless(client, () => {
                const written = (WRITES[what] as Write)(client, key, bytes);
                spoil(bytes);
                return written;
              });
              assert.equal(error, undefined, String(error));
              assert.deepEqual(await client.get(key), bytesOf(size), key);
            }
          }
        });
      }
    }

    test(`a subclass that reports a wrong length, ${protocol}: its bytes are stored`, async () => {
      const client = connect({ protocol });
      for (const size of SIZES) {
        const error = await assertHarmless(
          client,
          () => client.set("liar", new Liar(size).fill(7)),
        );
        assert.equal(error, undefined);
        assert.deepEqual(await client.get("liar"), bytesOf(size));
      }
    });

    test(`inside other values and sessions, ${protocol}: refused, and other calls are not harmed`, async () => {
      const client = connect({ protocol });
      const store = new SessionStore<{ bytes: Uint8Array }>({
        client,
        namespace: `s-${protocol}:`,
      });
      const bytes = bytesOf(100);
      structuredClone(bytes, { transfer: [bytes.buffer as ArrayBuffer] });
      const session = store.create();
      session.set("bytes", bytes);
      for (
        const write of [
          () => client.set("inside", { deep: [bytes] }),
          () => client.set("inside", new Map([["b", bytes.buffer]])),
          () => store.storeSession(session),
        ]
      ) {
        const error = await assertHarmless(client, write);
        assert.equal((error as { code?: string }).code, "SERIALIZATION");
      }
      assert.equal(await client.get("inside"), undefined);
    });

    test(`from a serializer, ${protocol}: refused, or stored as they were`, async () => {
      const client = connect({ protocol, serializer });
      const plain = connect({ protocol });
      for (const size of SIZES) {
        const bytes = bytesOf(size);
        const written = client.set("own", bytes);
        structuredClone(bytes, { transfer: [bytes.buffer as ArrayBuffer] });
        await written;
        assert.deepEqual(await client.get("own"), bytesOf(size));
        await assert.rejects(client.set("own", bytes), REFUSED);
        await plain.set("behind", "c");
        assert.deepEqual(await client.get("own"), bytesOf(size));
      }
    });
  }
});

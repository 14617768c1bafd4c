/** Bytes in values that a store hands out are over a buffer of their own, whichever method returns them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SessionStore, type SessionStoreOptions } from "../../mod.ts";
import { startMemcached } from "../support/memcached.ts";
import { assertOwnBytes, assertPlain } from "../support/own_bytes.ts";

const WAYS: Readonly<Record<string, SessionStoreOptions>> = {
  "plain": {},
  "sealed": { secret: "a secret of sixteen bytes and more" },
  "a serializer's": {
    serializer: {
      serialize: (value) => ({ data: (value as Value).bytes ?? new Uint8Array(0), flags: 0 }),
      deserialize: (data) => ({ bytes: data }),
    },
  },
};

interface Value {
  bytes: Uint8Array;
}

for (const [name, options] of Object.entries(WAYS)) {
  test(`${name} values: bytes are the caller's alone`, async () => {
    await using server = await startMemcached();
    await using store = new SessionStore<Value>({
      servers: server.address,
      onIteration: "scan",
      ...options,
    });
    for (const size of [3, 100, 20_000]) {
      const id = `id${size}`;
      const bytes = new Uint8Array(size).fill(3);
      await store.set(id, { bytes });
      let given: Value | undefined;
      const found = [
        await store.get(id),
        await store.get(id),
        await store.setDefault(id, { bytes }),
      ];
      await store.update(id, (current) => {
        given = current;
        return undefined;
      });
      found.push(given);
      if (options.serializer === undefined) {
        const session = await store.open(id);
        found.push({ bytes: session.get("bytes") as Uint8Array });
      }
      if (options.secret === undefined) {
        for await (const [, value] of store.entries()) found.push(value);
      }
      found.push(await store.pop(id));
      for (const value of found) {
        assertPlain(value?.bytes);
        assert.deepEqual(value.bytes, bytes);
      }
      assert.equal(assertOwnBytes(found), found.length);
    }
  });
}

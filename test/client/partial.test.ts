// The message of a PartialError: how many keys failed and why, but never a key.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Memcached, type MemcachedError, PartialError, ServerDownError } from "../../mod.ts";
import { partial } from "../../src/client/partial.ts";
import { MemcachedServer } from "../../src/testing/mod.ts";
import { freePort } from "../support/memcached.ts";
import { PATIENT } from "../support/patient.ts";

async function failure(call: Promise<unknown>): Promise<PartialError> {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof PartialError, String(error));
    return error;
  }
  throw new Error("it succeeded");
}

test("counts keys and servers, and names codes and addresses", async (t) => {
  const server = await MemcachedServer.start();
  t.after(() => server.stop());
  const [a, b] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  const client = new Memcached([server.address, a, b], { timeout: 5_000 });
  t.after(() => client.close());
  const keys = Array.from({ length: 100 }, (_, i) => `key${i}`);
  const at = (address: string): number =>
    keys.filter((key) => client.serverFor(key).address === address).length;
  const failed = at(a) + at(b);
  assert.ok(at(a) > 0 && at(b) > 0 && at(server.address) > 0);

  const stored = await failure(client.setMany(keys.map((key) => [key, 1])));
  const words = new RegExp(`^${failed} of 100 keys failed: ${failed} SERVER_DOWN \\((.*)\\)$`);
  for (
    const error of [
      stored,
      // Of 100, most of those that did not fail are misses.
      await failure(client.deleteMany(keys)),
      await failure(client.getMany(keys)),
    ]
  ) {
    const [, addresses = ""] = words.exec(error.message) ?? [];
    assert.deepEqual(addresses.split(", ").sort(), [a, b].sort(), error.message);
    assert.equal(error.errors.size, failed);
    assert.ok(!/key\d/.test(error.message), "no key");
  }
  for (const error of [await failure(client.stats()), await failure(client.version())]) {
    assert.match(error.message, /^2 of 3 servers failed: 2 SERVER_DOWN \(127[^()]*, 127[^()]*\)$/);
  }

  const lone = new Memcached(a, PATIENT);
  t.after(() => lone.close());
  assert.equal(
    (await failure(lone.getMany(["x", "y", "z"]))).message,
    `3 of 3 keys failed: 3 SERVER_DOWN (${a})`,
  );
  await assert.rejects(lone.stats(), ServerDownError);
});

test("several codes, and more servers than the message lists", () => {
  const errors = new Map<string, MemcachedError>();
  for (let i = 0; i < 7; i++) {
    const address = `10.0.0.${i}:11211`;
    errors.set(`k${i}`, new ServerDownError("down", { server: { id: address, address } }));
  }
  errors.set("k7", { code: "ABORTED", ambiguous: true } as MemcachedError);
  assert.throws(() => partial(new Map([["k8", 1]]), errors, "keys", 20), {
    code: "PARTIAL",
    ambiguous: true,
    message: "8 of 20 keys failed: 7 SERVER_DOWN " +
      "(10.0.0.0:11211, 10.0.0.1:11211, 10.0.0.2:11211, 10.0.0.3:11211 and 3 more), 1 ABORTED",
  });
});

// update against somebody who always writes first.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConflictError, Memcached, TimeoutError } from "../../mod.ts";
import { startMemcached } from "../support/memcached.ts";

for (const protocol of ["meta", "classic"] as const) {
  test(`${protocol}: update gives up after a hundred conflicts, or when its time is over`, async (t) => {
    const server = await startMemcached();
    t.after(() => server.stop());
    const client = new Memcached(server.address, { protocol, timeout: 20_000 });
    t.after(() => client.close());
    let tries = 0;
    const losing = async (): Promise<number> => {
      tries++;
      await client.set("k", `another's ${tries}`);
      return tries;
    };
    await client.set("k", "first");
    await assert.rejects(client.update("k", losing), (error) => {
      assert.ok(error instanceof ConflictError);
      return error.code === "CONFLICT" && !error.ambiguous;
    });
    assert.equal(tries, 100);
    assert.equal(await client.get("k"), "another's 100");
    const start = performance.now();
    await assert.rejects(client.update("k", losing, { timeout: 60 }), TimeoutError);
    assert.ok(performance.now() - start < 400);
  });
}

// update against somebody who always writes first.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ConflictError, Memcached, TimeoutError } from "../../mod.ts";
import { startMemcached } from "../support/memcached.ts";
import { PATIENT } from "../support/patient.ts";

for (const protocol of ["meta", "classic"] as const) {
  test(`${protocol}: update gives up after a hundred conflicts, or when its time is over`, async (t) => {
    const server = await startMemcached();
    const client = new Memcached(server.address, { protocol, timeout: 20_000 });
    t.after(() => client.close());
    t.after(() => server.stop());
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
    assert.ok(performance.now() - start < 10_000);
  });
}

test("if an update's function rejects after the deadline, that is no unhandled rejection", async (t) => {
  const server = await startMemcached();
  const client = new Memcached(server.address, PATIENT);
  t.after(() => client.close());
  t.after(() => server.stop());
  await client.set("k", 1);
  const late = (): Promise<number> => {
    const end = performance.now() + 80;
    while (performance.now() < end); // longer than the update may take
    return Promise.reject(new Error("too late"));
  };
  await assert.rejects(client.update("k", late, { timeout: 40 }), TimeoutError);
  await sleep(10); // an unhandled rejection fails the test
});

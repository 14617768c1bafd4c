/** fetchMany of more keys than it sends at a time. */
import assert from "node:assert/strict";
import diagnostics from "node:diagnostics_channel";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import { Memcached, type Selector } from "../../../mod.ts";
import { PATIENT } from "../../support/patient.ts";

const OPTIONS = { ttl: 60, stale: 10, lease: 2 };
for (const protocol of ["meta", "classic"] as const) {
  test(`thousands of keys at a server that goes down: all loaded by one load, ${protocol}`, async () => {
    const closing = createServer((socket) => {
      socket.on("error", () => {});
      setTimeout(() => socket.destroy(), 50);
    });
    await once(closing.listen(0, "127.0.0.1"), "listening");
    const { port } = closing.address() as AddressInfo;
    const keys = Array.from({ length: 4_000 }, (_, i) => `k${i}`);
    for (const address of ["127.0.0.1:9", `127.0.0.1:${port}`]) {
      await using client = new Memcached(address, { protocol, ...PATIENT });
      let loads = 0;
      const found = await client.fetchMany(keys, (missing) => {
        loads++;
        return new Map(missing.map((key) => [key, 1]));
      }, OPTIONS);
      assert.deepEqual([found.size, loads], [4_000, 1]);
    }
    closing.close();
  });

  test(`a hashing that throws: fetchMany rejects with its error, and close() ends, ${protocol}`, async (t) => {
    const hashing = (): Selector => ({
      pick: () => {
        throw new Error("no server");
      },
      order: () => [],
    });
    // Somebody listens, so each call is told about with its server.
    const channel = diagnostics.channel("memwire:fetch");
    const listen = (): void => {};
    channel.subscribe(listen);
    t.after(() => channel.unsubscribe(listen));
    const client = new Memcached(["127.0.0.1:1", "127.0.0.1:2"], { protocol, hashing });
    const keys = Array.from({ length: 3_000 }, (_, i) => `k${i}`);
    await assert.rejects(
      client.fetchMany(keys, () => Promise.resolve(new Map()), OPTIONS),
      /no server/,
    );
    await client.close();
  });
}

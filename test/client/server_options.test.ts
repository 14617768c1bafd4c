// Servers that were started with options: small items (-I), no tokens (-C), no memory left (-M), and
// commands that are switched off (-F, -X).
import assert from "node:assert/strict";
import { channel } from "node:diagnostics_channel";
import { after, before, describe, test } from "node:test";
import {
  Memcached,
  PartialError,
  ServerError,
  type ServerRef,
  UnsupportedError,
  ValueTooLargeError,
} from "../../mod.ts";
import { type MemcachedServer, startMemcached } from "../support/memcached.ts";

for (const protocol of ["meta", "classic"] as const) {
  describe(`over ${protocol}`, () => {
    let server: MemcachedServer;
    let client: Memcached;
    const start = (...args: string[]): void => {
      before(async () => {
        server = await startMemcached({ args });
        client = new Memcached(server.address, { protocol, timeout: 10_000 });
      });
      after(async () => {
        await client.close();
        await server.stop();
      });
    };

    describe("a server that takes no value of 600,000 bytes", () => {
      start("-I", "512k");
      const large = "x".repeat(600_000);

      const WRITES: Readonly<Record<string, (key: string, cas: bigint) => Promise<unknown>>> = {
        set: (key) => client.set(key, large),
        add: (key) => client.add(key, large),
        replace: (key) => client.replace(key, large),
        append: (key) => client.append(key, large),
        prepend: (key) => client.prepend(key, large),
        cas: (key, cas) => client.cas(key, large, cas),
        "cas with an old token": (key, cas) => client.cas(key, large, cas - 1n),
        update: (key) => client.update(key, () => large),
        setMany: (key) => client.setMany([["other", 1], [key, large]]),
      };

      let opened = 0;
      const count = (message: unknown): void => {
        const { server: { address }, event } = message as { server: ServerRef; event: string };
        if (address === server.address && event === "open") opened++;
      };
      before(() => channel("memwire:connection").subscribe(count));
      after(() => channel("memwire:connection").unsubscribe(count));

      test("refuses it, the error says if what was there is gone, and nobody else is disturbed", async () => {
        await client.set("bystander", "B");
        for (const [name, write] of Object.entries(WRITES)) {
          await client.set("k", "old");
          const { cas } = await client.getItem("k") ?? { cas: 0n };
          const [outcome, bystander] = await Promise.allSettled([
            write("k", cas),
            client.get("bystander"),
          ]);
          assert.deepEqual(bystander, { status: "fulfilled", value: "B" }, name);
          assert.ok(outcome.status === "rejected", name);
          const error = name === "setMany" ? outcome.reason.errors.get("k") : outcome.reason;
          assert.ok(error instanceof ValueTooLargeError, `${name}: ${error}`);
          assert.equal(error.server?.address, server.address);
          assert.equal(error.ambiguous, false);
          assert.match(error.message, /too large/);
          const lost = await client.get("k") === undefined;
          assert.equal(
            error.oldValueLost,
            lost,
            `${name}: the old value is ${lost ? "" : "not "}lost`,
          );
        }
        assert.equal(await client.get("other"), 1);
        assert.equal(opened, 1, "the connection was kept");
      });

      test("a refused cas leaves what is stored, the newer value of somebody else included", async () => {
        await client.set("k", "old");
        const { cas } = await client.getItem("k") ?? { cas: 0n };
        await client.set("k", "newer");
        await assert.rejects(client.cas("k", large, cas), (error) => {
          return error instanceof ValueTooLargeError && !error.oldValueLost;
        });
        assert.equal(await client.get("k"), "newer");
        assert.equal(await client.cas("k", "smaller", cas), "exists");
        await client.delete("k");
        await assert.rejects(client.cas("k", large, cas), ValueTooLargeError);
        assert.equal(await client.cas("k", "smaller", cas), "missing");
      });

      test("and none that an append or a prepend would make so: that is not an absent one", async () => {
        const half = "y".repeat(300_000);
        await client.set("k", half);
        for (const extend of [client.append, client.prepend]) {
          await assert.rejects(extend.call(client, "k", half), (error) => {
            assert.ok(error instanceof ServerError);
            assert.equal(error.server?.address, server.address);
            return /too large/.test(error.message);
          });
        }
        assert.ok(await client.get("k") === half);
        assert.equal(await client.append("absent", half), false);
      });
    });

    describe("a server that keeps no tokens", () => {
      start("-C");

      test("gives 0n, and what would need one is an UnsupportedError", async () => {
        await client.set("k", "v");
        const item = await client.getItem("k");
        assert.equal(item?.cas, 0n);
        const calls = [
          () => client.cas("k", "w", 0n),
          () => client.compareAndDelete("k", 0n),
          () => client.update("k", () => "w"),
        ];
        for (const call of calls) {
          await assert.rejects(call(), (error) => {
            assert.ok(error instanceof UnsupportedError);
            return error.code === "UNSUPPORTED" && /-C/.test(error.message);
          });
        }
        assert.equal(await client.get("k"), "v");
        // What is not there needs no token to be added.
        assert.equal(await client.update("absent", () => "new"), "new");
      });
    });

    describe("a server that evicts nothing and is full", () => {
      start("-M", "-m", "2");

      test("refuses with its own words, and works on", async () => {
        await client.set("n", 5);
        const value = "x".repeat(100_000);
        const filled = client.setMany(Array.from({ length: 40 }, (_, i) => [`k${i}`, value]));
        await assert.rejects(filled, (error) => {
          assert.ok(error instanceof PartialError && error.cause instanceof ServerError);
          return /out of memory/i.test(error.cause.message) && !error.ambiguous;
        });
        assert.equal(await client.get("n"), 5);
      });

      test("a refused cas leaves what is stored, whatever the token", async () => {
        const large = "x".repeat(100_000);
        const { cas } = await client.getItem("n") ?? { cas: 0n };
        for (const token of [cas, cas + 1n]) {
          await assert.rejects(client.cas("n", large, token), (error) => {
            return error instanceof ServerError && /out of memory/i.test(error.message);
          });
          assert.equal(await client.get("n"), 5);
        }
        await assert.rejects(client.update("n", () => large), ServerError);
        assert.equal(await client.get("n"), 5);
        assert.equal(await client.cas("n", 6, cas), "stored");
      });
    });

    describe("a server on which flush_all and dumps are switched off", () => {
      start("-F", "-X");

      test("refuses flushAll and keys with UnsupportedError, and nothing else", async () => {
        await client.set("k", "v");
        await assert.rejects(client.flushAll(), UnsupportedError);
        await assert.rejects(client.keys().next(), UnsupportedError);
        assert.equal(await client.get("k"), "v");
        assert.equal((await client.stats()).size, 1);
      });
    });
  });
}

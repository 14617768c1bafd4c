// Servers that were started with options: small items (-I), no tokens (-C), no memory left (-M), and
// commands that are switched off (-F, -X).
import assert from "node:assert/strict";
import { channel } from "node:diagnostics_channel";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
import { until } from "../support/until.ts";

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

      test("refuses it; the error says whether the old value is gone, and no other call is disturbed", async () => {
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

      test("a refused cas leaves what is stored, even somebody else's newer value", async () => {
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

      test("and refuses an append or prepend that would make a value too large; that is not an absent value", async () => {
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

      test("gives 0n as the token, and a call that needs a token is an UnsupportedError", async () => {
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
        // An absent value can be added without a token.
        assert.equal(await client.update("absent", () => "new"), "new");
      });
    });

    describe("a server that evicts nothing and is full", () => {
      start("-M", "-m", "2");

      test("refuses with its own message, and goes on working", async () => {
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

    describe("a server that is full to the last item", () => {
      start("-M", "-m", "8");

      const writes = (value: string): Record<string, (cas: bigint) => Promise<unknown>> => ({
        set: () => client.set("k", value),
        add: () => client.add("k", value),
        replace: () => client.replace("k", value),
        append: () => client.append("k", value),
        prepend: () => client.prepend("k", value),
        cas: (cas) => client.cas("k", value, cas),
        "cas with an old token": (cas) => client.cas("k", value, cas - 1n),
        update: () => client.update("k", () => value),
        setMany: () => client.setMany([["k", value]]),
      });

      test("says of each refused write whether the old value is lost", async () => {
        await client.set("k", "old");
        for (const size of [1_000, 50_000, 200_000, 400_000, 3_000, 100, 30]) {
          for (let i = 0, refused = 0; refused < 3; i++) {
            const write = client.set(`${size}.${i}`, "x".repeat(size));
            refused += await write.then(() => 0, () => 1);
          }
        }
        const seen = new Set<boolean>();
        for (const size of [1_000, 900_000]) {
          for (const [name, write] of Object.entries(writes("y".repeat(size)))) {
            await client.set("k", "old");
            const { cas } = await client.getItem("k") ?? { cas: 0n };
            const error = await write(cas).then(
              () => assert.fail(`${name} of ${size} was stored`),
              (reason) => name === "setMany" ? reason.errors.get("k") : reason,
            );
            assert.ok(error instanceof ServerError, `${name}: ${error}`);
            const [words] = /out of memory.*/i.exec(error.message) ?? [];
            const lost = await client.get("k") === undefined;
            assert.equal(error.oldValueLost, lost, `${name} of ${size}: ${words}`);
            seen.add(lost);
          }
        }
        assert.equal(seen.size, 2);

        // The head of a large value is a small item of its own. With room for that and not for the rest, memory
        // runs out while the value arrives.
        await client.deleteMany([0, 1, 2, 3, 4, 5].flatMap((i) => [`100.${i}`, `30.${i}`]));
        for (const name of ["set", "replace", "append", "setMany"]) {
          await client.set("k", "old");
          const write = writes("y".repeat(900_000))[name] as (cas: bigint) => Promise<unknown>;
          const reason = await write(0n).then(() => assert.fail(name), (reason) => reason);
          const error = name === "setMany" ? reason.errors.get("k") : reason;
          assert.match(error.message, /Out of memory during read/);
          assert.deepEqual([error.oldValueLost, await client.get("k")], [false, "old"], name);
        }
      });
    });

    describe("a server that keeps items on disk", () => {
      const folder = mkdtempSync(join(tmpdir(), "memwire-extstore-"));
      after(() => rmSync(folder, { recursive: true, force: true }));
      const extstore = [
        "ext_page_size=8,ext_wbuf_size=2,ext_threads=1,ext_io_depth=2",
        `ext_path=${join(folder, "file")}:64m`,
        "ext_item_size=512,ext_item_age=1,ext_recache_rate=0,slab_automove=0",
      ];
      start("-m", "64", "-o", extstore.join(","));

      test("appends nothing to them, and the error names the way out", async () => {
        await client.set("k", "x".repeat(2_000));
        // Only a small part of an item on disk stays in memory.
        const large = /items:(?:[3-9]|\d\d+):number [1-9]/;
        await until(async () => !large.test(await server.ask("stats items")), 30_000);
        for (const extend of [client.append, client.prepend]) {
          await assert.rejects(extend.call(client, "k", "more"), (error) => {
            assert.ok(error instanceof ServerError);
            assert.match(error.message, /extstore.*use update/);
            return !error.oldValueLost;
          });
        }
        await client.update<string>("k", (text) => `${text}more`);
        assert.equal((await client.get<string>("k"))?.length, 2_004);
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

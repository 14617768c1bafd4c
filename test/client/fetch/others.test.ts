/**
 * Keys that memwire shares with other clients that use leases: the tests send what dalli 5 and meta-memcache
 * send, byte for byte, to a real server and to the embedded one.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ENDS_AFTER } from "../../support/patient.ts";
import { openScene, SERVERS } from "./scene.ts";

// dalli 5.0: client.rb (fetch_with_lock, delete_stale), protocol/request_formatter.rb.
const DALLI = {
  fetch: "mg k v f c N30",
  recache: "mg k v f c N30 R60",
  store: (value: string): string => `ms k ${value.length} c F0 T300 MS\r\n${value}`,
  deleteStale: "md k I",
};

// meta-memcache 2: commands/high_level_commands.py (get_or_lease, set with a StalePolicy, invalidate).
const META_MEMCACHE = {
  lease: "mg k t v f c l h N30 R30",
  store: (value: string, cas: string): string =>
    `ms k ${value.length} T300 F0 C${cas} I\r\n${value}`,
  invalidate: "md k I T30",
};

const OPTIONS = { ttl: 60, stale: 10, lease: 2 };
const text = (value: unknown): string => new TextDecoder().decode(value as Uint8Array);
const unwanted = (): never => assert.fail("loaded");
const casOf = (reply: string): string => / c(\d+)/.exec(reply)?.[1] ?? "";

for (const kind of SERVERS) {
  describe(`keys shared with other clients, ${kind}`, { concurrency: true }, () => {
    for (
      const [name, ask] of Object.entries({
        dalli: DALLI.fetch,
        "meta-memcache": META_MEMCACHE.lease,
      })
    ) {
      test(`${name} has won and loads: fetch waits for the value that it stores`, async () => {
        await using scene = await openScene(kind);
        const won = await scene.other(ask);
        assert.match(won, /^VA 0 .* W$/);
        for (const protocol of ["meta", "classic"] as const) {
          if (protocol === "classic") await scene.other("md k").then(() => scene.other(ask));
          const client = scene.client({ protocol });
          const waiting = client.fetch("k", unwanted, { ...OPTIONS, lease: 10 });
          await sleep(30);
          assert.match(
            await scene.other(
              name === "dalli"
                ? DALLI.store("theirs")
                : META_MEMCACHE.store("theirs", casOf(await scene.other("mg k c"))),
            ),
            /^HD/,
          );
          assert.equal(text(await waiting), "theirs");
        }
      });

      test(`${name} has won and dies: its stub is taken over after \`lease\` seconds`, async () => {
        await using scene = await openScene(kind);
        for (const protocol of ["meta", "classic"] as const) {
          await scene.other("md k");
          await scene.other(ask);
          const client = scene.client({ protocol });
          const start = performance.now();
          assert.equal(await client.fetch("k", () => "ours", OPTIONS), "ours");
          const ms = performance.now() - start;
          assert.ok(ms >= ENDS_AFTER && ms < 10_000, `${ms}`);
          assert.match(await scene.other("mg k v"), /^VA 4\r\nours$/);
        }
      });

      test(`memwire has won and loads: ${name} is told to wait, and gets the stored value`, async () => {
        await using scene = await openScene(kind);
        const client = scene.client();
        let seen = "";
        await client.fetch("k", async () => {
          seen = await scene.other(ask);
          return new Uint8Array([111, 117, 114, 115]);
        }, OPTIONS);
        assert.match(seen, /^VA 0 .* Z(\r\n|$)/, "it has lost, and there is no value");
        const after = await scene.other(ask);
        assert.match(after, /^VA 4 .*\r\nours$/);
        assert.doesNotMatch(after, / [WZX]\b/);
      });

      test(`${name} stores while memwire loads: its value stays`, async () => {
        await using scene = await openScene(kind);
        for (const protocol of ["meta", "classic"] as const) {
          await scene.other("md k");
          const client = scene.client({ protocol });
          const value = await client.fetch("k", async () => {
            await scene.other(DALLI.store("theirs"));
            return "ours";
          }, OPTIONS);
          assert.equal(value, "ours");
          assert.match(await scene.other("mg k v"), /^VA 6\r\ntheirs$/);
        }
      });
    }

    for (const mark of [DALLI.deleteStale, META_MEMCACHE.invalidate]) {
      test(`marked by "${mark}": one fetch loads, everybody else has the old value`, async () => {
        await using scene = await openScene(kind);
        const [client, second] = [scene.client(), scene.client()];
        await client.set("k", "old", { ttl: 100 });
        assert.match(await scene.other(mark), /^HD/);
        const stale: unknown[] = [];
        const seen: string[] = [];
        const value = await client.fetch("k", async (context) => {
          stale.push(context.stale);
          assert.equal(await client.fetch("k", unwanted, OPTIONS), "old");
          assert.equal(await second.fetch("k", unwanted, OPTIONS), "old");
          seen.push(await scene.other(DALLI.fetch), await scene.other(META_MEMCACHE.lease));
          return "new";
        }, OPTIONS);
        assert.deepEqual([value, stale], ["new", ["old"]]);
        for (const reply of seen) {
          assert.match(reply, /^VA 3 .*\r\nold$/);
          assert.match(reply, / Z\b/);
          assert.doesNotMatch(reply, / W\b/);
        }
        assert.equal(await second.fetch("k", unwanted, OPTIONS), "new");
      });
    }

    test("memwire's mark: dalli and meta-memcache win, and fetch has the old value", async () => {
      await using scene = await openScene(kind);
      const client = scene.client();
      for (const ask of [DALLI.fetch, META_MEMCACHE.lease]) {
        await client.set("k", "old", { ttl: 100 });
        assert.equal(await client.invalidate("k", { stale: 30 }), true);
        const won = await scene.other(ask);
        assert.match(won, /^VA 3 .*W/);
        assert.equal(await client.fetch("k", unwanted, OPTIONS), "old");
        // 1.6.18 accepts a store by an older token, marks it as stale and gives no new win, so in the end its
        // writer is taken for dead.
        await scene.other(META_MEMCACHE.store("late", String(BigInt(casOf(won)) - 1n)));
        assert.equal(text(await client.fetch("k", unwanted, OPTIONS)), "late");
        await sleep(2_050);
        assert.equal(await client.fetch("k", () => "new", OPTIONS), "new");
        assert.equal(await client.fetch("k", unwanted, OPTIONS), "new");
      }
    });

    test("dalli recaches early a value that memwire has stored: fetch returns that value meanwhile", async () => {
      await using scene = await openScene(kind);
      const client = scene.client();
      await client.fetch("k", () => "first", { ttl: 30, lease: 2 });
      assert.match(await scene.other(DALLI.recache), /^VA 5 .* W\r\nfirst$/);
      assert.equal(await client.fetch("k", unwanted, OPTIONS), "first");
      await scene.other(DALLI.store("second"));
      assert.equal(text(await client.fetch("k", unwanted, OPTIONS)), "second");
    });

    test("the winner of an old value dies, whichever client it is: another one loads after `lease` seconds", async () => {
      await using scene = await openScene(kind);
      const client = scene.client();
      await client.set("k", "old", { ttl: 100 });
      await scene.other(META_MEMCACHE.invalidate);
      assert.match(await scene.other(DALLI.fetch), / W/);
      const start = performance.now();
      for (;;) {
        const value = await client.fetch("k", () => "new", OPTIONS);
        if (value === "new") break;
        assert.equal(value, "old");
        assert.ok(performance.now() - start < 6_000);
        await sleep(50);
      }
      assert.ok(performance.now() - start >= ENDS_AFTER);
      // A touch does not remove the mark, and does not prolong a dead winner's lease either.
      await client.set("k", "old", { ttl: 100 });
      await scene.other("md k I T30");
      await scene.other(DALLI.fetch);
      assert.equal(await client.fetch("k", unwanted, OPTIONS), "old");
      await client.touch("k", 1_000);
      await sleep(2_050);
      assert.equal(await client.fetch("k", () => "new", OPTIONS), "new");
    });

    test("fresh for ttl, old for stale, then gone", async () => {
      await using scene = await openScene(kind);
      const client = scene.client();
      const embedded = kind === "the embedded server";
      const options = embedded ? { ttl: 600, stale: 60, lease: 2 } : { ttl: 2, stale: 2, lease: 2 };
      let n = 0;
      const load = (): number => ++n;
      assert.equal(await client.fetch("k", load, options), 1);
      await scene.pass(embedded ? 598 : 0.5);
      assert.equal(await client.fetch("k", unwanted, options), 1);
      await scene.pass(embedded ? 2 : 1.6);
      let during: unknown;
      assert.equal(
        await client.fetch("k", async ({ stale }) => {
          during = [stale, await client.fetch("k", unwanted, options)];
          return load();
        }, options),
        2,
      );
      assert.deepEqual(during, [1, 1]);
      await scene.pass(embedded ? 661 : 4.1);
      assert.equal(await client.get("k"), undefined);
      assert.deepEqual(await client.fetch<unknown>("k", ({ stale }) => [stale, load()], options), [
        undefined,
        3,
      ]);
    });
  });
}

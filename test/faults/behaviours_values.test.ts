/** Behaviours with values, ttls and counters, on a real memcached. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ValueTooLargeError } from "../../mod.ts";
import { together } from "../support/together.ts";
import { behaviour, real } from "./behaviours.ts";
import { DIALECTS, outcome } from "./rig.ts";

const PROTOCOL_LIKE = "a\r\nEND\r\nVALUE k 0 1\r\nx\r\nEND\r\nVA 1 O0\r\nHD\r\n";
const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, i) => i);
const MONTH = 30 * 24 * 3600;

for (const dialect of DIALECTS) {
  describe(`values, times and counters, ${dialect}`, () => {
    test(behaviour("value with \\r\\nEND\\r\\nVALUE", dialect), async () => {
      await using at = await real(dialect);
      await at.client.set("k", PROTOCOL_LIKE);
      await at.client.set("l", Buffer.from(PROTOCOL_LIKE));
      assert.equal(await at.client.get("k"), PROTOCOL_LIKE);
      assert.deepEqual(await at.client.get("l"), Uint8Array.from(Buffer.from(PROTOCOL_LIKE)));
      assert.equal((await at.client.getMany(["l", "k"])).get("k"), PROTOCOL_LIKE);
      assert.equal(await at.client.append("k", "\r\nEND\r\n"), true);
      assert.equal(await at.client.get("k"), `${PROTOCOL_LIKE}\r\nEND\r\n`);
    });

    test(behaviour("the same, written by another client", dialect), async () => {
      await using at = await real(dialect);
      await at.storeRaw("k", 0, Buffer.from(PROTOCOL_LIKE));
      await at.storeRaw("l", 16, Buffer.from(PROTOCOL_LIKE));
      assert.deepEqual(await at.client.get("k"), Uint8Array.from(Buffer.from(PROTOCOL_LIKE)));
      assert.equal(await at.client.get("l"), PROTOCOL_LIKE);
      assert.equal((await at.client.getMany(["k", "l"])).get("l"), PROTOCOL_LIKE);
    });

    test(behaviour("empty value", dialect), async () => {
      await using at = await real(dialect);
      await at.client.set("k", "");
      await at.client.set("l", new Uint8Array());
      await at.storeRaw("m", 16, new Uint8Array());
      assert.equal(await at.client.get("k"), "");
      assert.deepEqual(await at.client.get("l"), new Uint8Array(0));
      assert.equal(await at.client.get("m"), "");
      const many = await at.client.getMany(["k", "l", "m", "absent"]);
      assert.deepEqual([...many.keys()].sort(), ["k", "l", "m"]);
      assert.equal(await at.client.has("k"), true);
      assert.equal((await at.client.getItem("k"))?.value, "");
    });

    test(behaviour("256-byte binary", dialect), async () => {
      await using at = await real(dialect);
      await at.client.set("k", ALL_BYTES);
      assert.deepEqual(await at.client.get("k"), Uint8Array.from(Buffer.from(ALL_BYTES)));
      assert.deepEqual((await at.read("k"))?.data, Buffer.from(ALL_BYTES), "as they are");
    });

    test(behaviour("binary from another client (flags 0)", dialect), async () => {
      await using at = await real(dialect);
      await at.storeRaw("k", 0, ALL_BYTES);
      assert.deepEqual(await at.client.get("k"), Uint8Array.from(Buffer.from(ALL_BYTES)));
      assert.equal((await at.client.getItem("k"))?.flags, 0);
    });

    test(behaviour("2 MiB value, then next op", dialect), async () => {
      // The client refuses it, or if maxValueBytes allows it, the server does.
      for (const maxValueBytes of [1_048_000, 10_000_000]) {
        await using at = await real(dialect, { maxValueBytes });
        await at.client.set("k", "before");
        const big = "x".repeat(2 * 1024 * 1024);
        const ends = await Promise.all([
          outcome(at.client.set("k", big)),
          outcome(at.client.set("k2", Buffer.from(big))),
          outcome(at.client.set("l", "v")),
        ]);
        for (const { error } of ends.slice(0, 2)) {
          assert.ok(error instanceof ValueTooLargeError, String(error));
        }
        assert.equal(ends[2]?.error, undefined);
        assert.equal(await at.client.get("l"), "v");
        const { oldValueLost } = ends[0]?.error as ValueTooLargeError;
        assert.equal(await at.client.get("k"), oldValueLost ? undefined : "before");
        assert.equal(oldValueLost, maxValueBytes > 2_000_000);
      }
    });

    test(behaviour("900 KB utf8", dialect), async () => {
      await using at = await real(dialect);
      const text = "aé€💥".repeat(90_000);
      assert.equal(Buffer.byteLength(text), 900_000);
      await at.client.set("k", text);
      assert.ok(await at.client.get("k") === text);
      assert.ok((await at.client.getMany(["k"])).get("k") === text);
    });

    test(behaviour("TTL NaN", dialect), async () => {
      await using at = await real(dialect);
      await at.client.set("k", "v");
      const before = await at.commands();
      for (const ttl of [NaN, -1, -Infinity, Date.now(), 2 ** 31, "5" as unknown as number]) {
        const calls = [
          at.client.set("k", "w", { ttl }),
          at.client.add("k", "w", { ttl }),
          at.client.touch("k", ttl),
          at.client.getAndTouch("k", ttl),
          at.client.getItem("k", { touch: ttl }),
          at.client.increment("k", 1, { initial: 1, ttl }),
          at.client.setMany([["k", "w"]], { ttl }),
          at.client.update("k", () => "w", { ttl }),
        ];
        for (const call of calls) {
          assert.equal((await outcome(call)).error?.code, "ERR_INVALID_ARGUMENT", String(ttl));
        }
      }
      assert.equal(await at.commands(), before, "nothing was sent");
      assert.equal(await at.client.get("k"), "v");
    });

    test(behaviour("incr > 2^53", dialect), async () => {
      await using at = await real(dialect);
      await at.client.set("k", 2n ** 53n);
      assert.equal(await at.client.increment("k"), 2n ** 53n + 1n);
      assert.equal(await at.client.increment("k", 2n ** 63n), 2n ** 63n + 2n ** 53n + 1n);
      assert.equal(await at.client.get("k"), 2n ** 63n + 2n ** 53n + 1n);
      await at.client.set("k", 2n ** 64n - 1n);
      assert.equal(await at.client.increment("k", 2), 1n, "wraps, as memcached does");
    });

    test(behaviour("incr 2^32-1", dialect), async () => {
      await using at = await real(dialect);
      await at.client.set("k", 2 ** 32 - 1);
      assert.equal(await at.client.increment("k"), 4_294_967_296n);
      assert.equal(await at.client.get("k"), 4_294_967_296);
    });

    test(behaviour("incr of missing", dialect), async () => {
      await using at = await real(dialect);
      assert.equal(await at.client.increment("k"), undefined);
      assert.equal(await at.client.decrement("k"), undefined);
      assert.equal(await at.client.has("k"), false, "and creates none");
      assert.equal(await at.client.increment("k", 1, { initial: 5 }), 5n);
      assert.equal(await at.client.increment("k", 1, { initial: 5 }), 6n);
    });
  });
}

// These tests wait for the clock.
const slow = together(Object.assign(
  {},
  ...DIALECTS.map((dialect) => ({
    [behaviour("TTL 31 days", dialect)]: async () => {
      await using at = await real(dialect);
      await at.client.set("k", "v", { ttl: 31 * 24 * 3600 });
      await at.client.set("l", "v");
      await at.client.touch("l", MONTH + 1);
      await at.client.set("m", "v", { ttl: MONTH });
      await sleep(1_100);
      for (const key of ["k", "l", "m"]) assert.equal(await at.client.get(key), "v", key);
      assert.match(await at.server.ask("mg k t", /\r\n/), /^HD t2678[34]\d\d\r/);
    },

    [behaviour("TTL 0.5", dialect)]: async () => {
      await using at = await real(dialect);
      await at.client.set("k", "v", { ttl: 0.5 });
      assert.match(await at.server.ask("mg k t", /\r\n/), /^(HD t[01]|EN)\r/, "not for ever");
      await sleep(2_100);
      assert.equal(await at.client.get("k"), undefined);
    },
  })),
));
for (const [name, run] of slow) test(name, run);

/** Behaviours with odd keys: every method refuses them before anything is sent. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Memcached, SessionStore } from "../../mod.ts";
import { behaviour, real } from "./behaviours.ts";
import { DIALECTS, outcome, PATIENT } from "./rig.ts";

type Row = Parameters<typeof behaviour>[0];

const ODD: ReadonlyArray<readonly [row: Row, keys: readonly string[]]> = [
  ["key-crlf", ["a\r\nset evil 0 0 1\r\nx", "a\r\nflush_all", "\r\n", "a\n", "\ra"]],
  ["key-space", ["visitor 17", " visitor", "visitor ", " "]],
  ["key-control \\x01", ["a\x01", "\x00", "a\tb", "\x1f"]],
  ["key-control \\x7f", ["a\x7f", "\x7f"]],
  ["key-251 bytes", ["k".repeat(251), "k".repeat(100_000)]],
  ["126 x é = 252 bytes", ["é".repeat(126), `${"é".repeat(125)}ab`, "€".repeat(84)]],
  ["key-empty", [""]],
];

/** Every method that takes a key. */
function entries(m: Memcached, key: string): Readonly<Record<string, () => Promise<unknown>>> {
  return {
    get: () => m.get(key),
    getMany: () => m.getMany(["fine", key]),
    getItem: () => m.getItem(key),
    getAndTouch: () => m.getAndTouch(key, 5),
    has: () => m.has(key),
    set: () => m.set(key, "v"),
    setMany: () => m.setMany([["fine", "v"], [key, "v"]]),
    add: () => m.add(key, "v"),
    replace: () => m.replace(key, "v"),
    append: () => m.append(key, "v"),
    prepend: () => m.prepend(key, "v"),
    cas: () => m.cas(key, "v", 3n),
    compareAndDelete: () => m.compareAndDelete(key, 3n),
    delete: () => m.delete(key),
    deleteMany: () => m.deleteMany(["fine", key]),
    touch: () => m.touch(key, 5),
    increment: () => m.increment(key),
    decrement: () => m.decrement(key),
    update: () => m.update(key, () => "v"),
  };
}

for (const dialect of DIALECTS) {
  describe(`odd keys, ${dialect}`, () => {
    for (const [row, keys] of ODD) {
      test(behaviour(row, dialect), async () => {
        await using at = await real(dialect);
        await at.client.set("witness", "v");
        const before = await at.commands();
        for (const key of keys) {
          for (const [name, call] of Object.entries(entries(at.client, key))) {
            const { error } = await outcome(call());
            assert.ok(error instanceof TypeError, `${name}: ${error}`);
            assert.equal((error as { code?: string }).code, "ERR_INVALID_ARGUMENT");
            if (key.length > 3) assert.ok(!error.message.includes(key.trim()), error.message);
          }
          assert.throws(() => at.client.serverFor(key), TypeError);
        }
        assert.equal(await at.commands(), before, "nothing was sent");
        assert.equal(await at.client.get("witness"), "v");
        assert.equal(await at.client.get("evil"), undefined);
      });
    }

    test(`key-crlf: not through a prefix, a token, a number or an id either, ${dialect}`, async () => {
      await using at = await real(dialect);
      const evil = "1\r\nset evil 0 0 1\r\nx\r\n";
      assert.throws(() => new Memcached("127.0.0.1", { prefix: evil }), TypeError);
      const { client } = at;
      const calls = [
        client.cas("k", "v", evil as unknown as bigint),
        client.compareAndDelete("k", evil as unknown as bigint),
        client.increment("k", evil as unknown as number),
        client.increment("k", 1, { initial: evil as unknown as number }),
        client.set("k", "v", { ttl: evil as unknown as number }),
        client.touch("k", evil as unknown as number),
        client.flushAll({ delay: evil as unknown as number }),
      ];
      for (const call of calls) {
        assert.equal((await outcome(call)).error?.code, "ERR_INVALID_ARGUMENT");
      }
      await using store = new SessionStore({ client });
      assert.equal(await store.get(evil), undefined);
      assert.equal((await outcome(store.set(evil, {}))).error?.code, "ERR_INVALID_ARGUMENT");
      assert.equal(await client.get("evil"), undefined);
    });

    test(behaviour("key `constructor`, `__proto__`", dialect), async () => {
      await using at = await real(dialect);
      const names = ["constructor", "__proto__", "toString", "hasOwnProperty", "valueOf", "then"];
      for (const key of names) {
        assert.equal(await at.client.get(key), undefined, key);
        assert.equal(await at.client.has(key), false);
      }
      assert.equal((await at.client.getMany(names)).size, 0);
      await at.client.setMany(names.map((key) => [key, `value ${key}`]));
      assert.deepEqual(
        await at.client.getMany(names),
        new Map(names.map((key) => [key, `value ${key}`])),
      );
      for (const key of names) assert.equal(await at.client.get(key), `value ${key}`);
    });

    test(`keys that are legal stay apart: $, %, quotes, other scripts, 250 bytes, ${dialect}`, async () => {
      await using at = await real(dialect, PATIENT);
      const keys = ["a$$b", "a$b", "a%20b", "a%b", '"', "'", "é", "e\u0301", "💥", "k".repeat(250)];
      keys.push(
        "k".repeat(249),
        "é".repeat(125),
        "0",
        "-1",
        "noreply2",
        "[1]",
        "{}",
        "\u0080",
        "\u00a0",
      );
      await Promise.all(keys.map((key, i) => at.client.set(key, i)));
      assert.deepEqual(await Promise.all(keys.map((key) => at.client.get(key))), [...keys.keys()]);
      assert.deepEqual(await at.client.getMany(keys), new Map(keys.map((key, i) => [key, i])));
    });
  });
}

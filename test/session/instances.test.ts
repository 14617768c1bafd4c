// How instances of classes are stored. The rule is the same for the client and for sessions.
import assert from "node:assert/strict";
import { runInNewContext } from "node:vm";
import { test } from "node:test";
import process from "node:process";
import { Memcached, SerializationError } from "../../mod.ts";
import { deserialize, serialize } from "../../src/v8/mod.ts";
import { describeDialects, someId, storedSession } from "./stores.ts";

class Money {
  readonly amount: number;
  constructor(amount: number) {
    this.amount = amount;
  }
  get doubled(): number {
    return this.amount * 2;
  }
}

class ObjectId {
  readonly #hex: string;
  constructor(hex: string) {
    this.#hex = hex;
  }
  toJSON(): string {
    return this.#hex;
  }
}

class Named {
  toJSON(name: string): unknown {
    return { name };
  }
}

class Hidden {
  readonly #secret = 1;
  get secret(): number {
    return this.#secret;
  }
}

class Nested {
  toJSON(): unknown {
    return { inner: new ObjectId("cd"), itself: this instanceof Nested };
  }
}

class Self {
  readonly own = 1;
  toJSON(): this {
    return this;
  }
}

class Nothing {
  toJSON(): undefined {}
}

const shared = { n: 1 };

const STORED: readonly [value: unknown, stored: unknown][] = [
  [new URL("http://a/b"), "http://a/b"],
  [new ObjectId("ab"), "ab"],
  [new Money(5), { amount: 5 }],
  [[new ObjectId("ab"), new ObjectId("ab")], ["ab", "ab"]],
  [{ id: new Named(), list: [new Named()] }, { id: { name: "id" }, list: [{ name: "0" }] }],
  [new Map([["k", new ObjectId("ab")]]), new Map([["k", "ab"]])],
  [new Set([new URL("http://a/")]), new Set(["http://a/"])],
  [new Nested(), { inner: "cd", itself: true }],
  [new Self(), { own: 1 }],
  [[shared, new ObjectId("ab"), shared], [{ n: 1 }, "ab", { n: 1 }]],
  [new Date(5), new Date(5)],
  [Object.create({ a: 1 }, { b: { value: 2, enumerable: true } }), { b: 2 }],
  [Object.create(null), {}],
  [{}, {}],
];

const REFUSED: readonly (readonly [value: unknown, path: string])[] = [
  // In Bun some of these have a toJSON, as URL has everywhere.
  ...[new Headers({ a: "b" }), new Blob(["a"]), new URLSearchParams("a=b")]
    .filter((value) => !("toJSON" in value)).map((value) => [value, "x"] as const),
  [new Hidden(), "x"],
  [{ list: [1, new Hidden()] }, "x.list[1]"],
  [new Map([["k", new Hidden()]]), "x[0]"],
  [new Nothing(), "x"],
  [{ deep: new Nothing() }, "x.deep"],
];

describeDialects("an instance of a class", (stores) => {
  test("is stored as what its toJSON returns, or as its fields", async (t) => {
    const store = stores.make();
    const client = new Memcached(stores.address, { protocol: stores.protocol });
    t.after(() => client.close());
    for (const [value, expected] of STORED) {
      const key = someId();
      await client.set(key, [value]);
      const got = await client.get(key);
      assert.deepEqual(got, [expected]);
      const id = await storedSession(store, { x: value });
      const session = await store.open(id);
      assert.deepEqual(session.get("x"), expected);
      assert.equal(await store.storeSession(session), "unchanged");
      await store.set(id, { x: value });
      assert.deepEqual(await store.get(id), { x: expected });
    }
    const twice = await client.set("twice", [shared, new ObjectId("ab"), shared]).then(() =>
      client.get<unknown[]>("twice")
    );
    assert.equal(twice?.[0], twice?.[2], "a shared object is one");
    if (process.versions["bun"] === undefined) { // Bun's vm shares its intrinsics
      await client.set("realm", [runInNewContext("({})"), runInNewContext("({ a: [] })")]);
      assert.deepEqual(await client.get("realm"), [{}, { a: [] }]);
    }
  });

  test("with neither is refused with its path, and nothing is sent", async (t) => {
    const store = stores.make();
    const client = new Memcached(stores.address, { protocol: stores.protocol });
    t.after(() => client.close());
    for (const [value, path] of REFUSED) {
      const refused = (error: unknown): boolean => {
        assert.ok(error instanceof SerializationError, String(error));
        return error.path === path;
      };
      const id = await storedSession(store, { x: 1 });
      const session = await store.open(id);
      session.set("x", value);
      await assert.rejects(store.storeSession(session), refused);
      assert.equal(session.isDirty(), true);
      await assert.rejects(store.set(id, { x: value }), refused);
      await assert.rejects(client.set(store.mcKey(id), { x: value }), refused);
      await assert.rejects(client.set(store.mcKey(id), value), SerializationError);
      assert.deepEqual(await store.get(id), { x: 1 });
    }
  });
});

test("memwire/v8 by itself stores instances as node:v8 does", () => {
  const through = (value: unknown): unknown => deserialize(serialize(value));
  assert.deepEqual(through(new Hidden()), {});
  assert.deepEqual(through(new Money(5)), { amount: 5 });
  assert.deepEqual(through(new Self()), { own: 1 });
  assert.deepEqual(through(new ObjectId("ab")), {});
});

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test, type TestContext } from "node:test";
import { createHash } from "node:crypto";
import { ConflictError, SessionStore } from "../../mod.ts";
import { type Gate, startGate } from "./gate.ts";
import { describeDialects, type Fields, someId, storedSession } from "./stores.ts";

const REFUSED = { name: "TypeError", code: "ERR_INVALID_ARGUMENT" };
const SECRET = "a secret, sixteen bytes at least";
const HEX = "0123456789abcdef";

// All 256 byte values, each at the start, in the middle and at the end of an id.
const IDS = Array.from({ length: 256 }, (_, byte) => {
  const char = String.fromCharCode(byte);
  return [`${char}${HEX}`, `${HEX}${char}${HEX}`, `${HEX}${char}`];
}).flat();

// Ids that may look harmless, but must be refused.
const OTHER_IDS = [
  "",
  "x\n",
  "x\r\nget y",
  "x\r\nset y 0 0 1\r\nz\r\n",
  "a b",
  "a\tb",
  "noreply",
  "\ud800",
  "a\udfff",
  "\u2028",
  "\ufeffa",
  "é",
  "日本",
  "\u{1f600}",
  "../x",
  "a/b",
  "a:b",
  "a%0a",
  "x".repeat(129),
  "x".repeat(251),
  "x".repeat(100_000),
];

const isLegal = (id: string, namespace: string): boolean =>
  // deno-lint-ignore no-control-regex -- control characters are what is told apart
  id !== "" && namespace + id !== "noreply" && !/[\x00-\x20\x7f]|\p{Surrogate}/u.test(id) &&
  Buffer.byteLength(namespace + id) <= 250;

/** The keys on the wire, each byte as one character. */
const keysOf = (gate: Gate): string[] => gate.lines.map((line) => line.split(" ")[1] as string);

describeDialects("ids", (stores) => {
  async function behindGate(
    t: TestContext,
    options: { namespace?: string; secret?: string } = {},
  ): Promise<{ gate: Gate; store: SessionStore<Fields> }> {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    const store = stores.make({ servers: gate.address, ...options });
    return { gate, store };
  }

  /** All calls that read find nothing. */
  async function assertAbsent(store: SessionStore<Fields>, id: string): Promise<void> {
    const calls = [
      store.get(id),
      store.pop(id),
      store.has(id),
      store.touch(id, 5),
      store.delete(id),
    ];
    const nothing = [undefined, undefined, false, false, false];
    assert.deepEqual(await Promise.all<unknown>(calls), nothing);
  }

  async function assertUnwritable(store: SessionStore<Fields>, id: string): Promise<void> {
    assert.throws(() => store.mcKey(id), REFUSED);
    await assert.rejects(store.set(id, {}), REFUSED);
    await assert.rejects(store.setDefault(id, {}), REFUSED);
    await assert.rejects(store.update(id, () => ({})), REFUSED);
    assert.throws(() => store.create(id), REFUSED);
  }

  test("open, like other reads: an id that makes no legal key is absent, and nothing is sent", async (t) => {
    const { gate, store } = await behindGate(t);
    for (const id of [...IDS, ...OTHER_IDS]) {
      gate.clear();
      const session = await store.open(id);
      assert.equal(session.isNew, true);
      assert.notEqual(session.id, id);
      assert.equal(gate.lines.length, isLegal(id, stores.namespace) ? 1 : 0);
    }
  });

  test("open: whatever id set has stored a session under, open finds it", async () => {
    for (const secret of [undefined, SECRET]) {
      const store = stores.make({ ...(secret === undefined ? {} : { secret }) });
      for (const id of ["user:1", "a/b?c=d", "日本", `${HEX}${"x".repeat(150)}`, "noreply"]) {
        await store.set(id, { id });
        const session = await store.open(id);
        assert.equal(session.id, id);
        assert.equal(session.get("id"), id);
        session.set("seen", true);
        assert.equal(await store.storeSession(session), "stored");
        await store.delete(id);
      }
    }
  });

  test("create: a new session, under an id of the caller's own", async (t) => {
    const { gate, store } = await behindGate(t);
    const id = `user:${someId()}`;
    const session = store.create(id);
    assert.equal(session.id, id);
    assert.equal(session.isNew, true);
    assert.match(store.create().id, /^[A-Za-z0-9_-]{32}$/);
    assert.equal(gate.received.length, 0);
    assert.equal(await store.storeSession(session), "unchanged");
    session.set("a", 1);
    assert.equal(await store.storeSession(session), "stored");
    assert.equal((await store.open(id)).get("a"), 1);
    const other = store.create(id);
    other.set("a", 2);
    await assert.rejects(store.storeSession(other), ConflictError);
    assert.deepEqual(await store.get(id), { a: 1 });
  });

  test("open: an id that is not a string is absent, and nothing is sent", async (t) => {
    const { gate, store } = await behindGate(t);
    const strange = [
      undefined,
      null,
      5,
      true,
      {},
      ["abc"],
      new String("abc"),
      Symbol("abc"),
      /abc/,
    ];
    for (const id of strange) {
      const session = await store.open(id as string);
      assert.equal(session.isNew, true);
    }
    assert.equal(gate.received.length, 0);
  });

  test("other calls refuse an id that is not a string: a session in its place was no logout", async (t) => {
    const { gate, store } = await behindGate(t);
    const strange = [undefined, null, 5, {}, ["abc"], store.create(), Promise.resolve("abc")];
    for (const id of strange as string[]) {
      await assert.rejects(store.get(id), REFUSED);
      await assert.rejects(store.has(id), REFUSED);
      await assert.rejects(store.delete(id), REFUSED);
      await assert.rejects(store.pop(id), REFUSED);
      await assert.rejects(store.touch(id), REFUSED);
    }
    assert.equal(gate.received.length, 0);
  });

  test("no byte gets through that a key may not have", async (t) => {
    const { gate, store } = await behindGate(t);
    for (const id of [...IDS, ...OTHER_IDS]) {
      const legal = isLegal(id, stores.namespace);
      gate.clear();
      await assertAbsent(store, id);
      if (!legal) await assertUnwritable(store, id);
      if (!legal) assert.equal(gate.received.length, 0);
      const key = Buffer.from(stores.namespace + id).toString("latin1");
      assert.deepEqual(new Set(keysOf(gate)), new Set(legal ? [key] : []));
      if (!legal) continue;
      await store.set(id, { byte: id });
      assert.deepEqual(await store.get(id), { byte: id });
      assert.equal(await store.delete(id), true);
      assert.equal(store.mcKey(id), stores.namespace + id);
      assert.deepEqual(new Set(keysOf(gate)), new Set([key]));
    }
  });

  test("with a secret no byte of an id is on the wire, and the same ids are refused", async (t) => {
    const { gate, store } = await behindGate(t, { secret: SECRET });
    for (const id of [...IDS, ...OTHER_IDS]) {
      const legal = isLegal(id, stores.namespace);
      gate.clear();
      await assertAbsent(store, id);
      if (legal) {
        assert.deepEqual(new Set(keysOf(gate)), new Set([store.mcKey(id)]));
        assert.match(store.mcKey(id).slice(stores.namespace.length), /^[A-Za-z0-9_-]{43}$/);
      } else {
        await assertUnwritable(store, id);
        assert.equal(gate.received.length, 0);
      }
    }
  });

  test("250 bytes are a legal key, 251 are not; the namespace and UTF-8 count", async (t) => {
    const namespaces = ["", "n:", "n".repeat(122), "ñ".repeat(20)];
    for (const namespace of namespaces) {
      const { gate, store } = await behindGate(t, { namespace });
      const room = 250 - Buffer.byteLength(namespace);
      const fit = ["x".repeat(room), "é".repeat(room / 2), "日".repeat(room / 3)];
      for (const [i, id] of fit.entries()) {
        const longest = id + "x".repeat(room - Buffer.byteLength(id));
        await store.set(longest, { i });
        assert.deepEqual(await store.get(longest), { i });
        assert.equal(Buffer.byteLength(store.mcKey(longest)), 250);
        assert.equal(await store.delete(longest), true);
        gate.clear();
        await assertAbsent(store, `${longest}x`);
        await assertUnwritable(store, `${longest}x`);
        assert.deepEqual(gate.lines, []);
      }
    }
  });

  test("open with a namespace that leaves less than 128 bytes", async (t) => {
    const { gate, store } = await behindGate(t, { namespace: "n".repeat(130) });
    const id = "x".repeat(120);
    await store.set(id, { a: 1 });
    assert.equal((await store.open(id)).get("a"), 1);
    gate.clear();
    assert.equal((await store.open(`${id}x`)).isNew, true);
    assert.equal(gate.received.length, 0);
  });

  test("the empty id is never a session, even if something is stored under the namespace itself", async (t) => {
    const { gate, store } = await behindGate(t);
    const beside = stores.make({ namespace: "" });
    await beside.set(stores.namespace, { admin: true });
    await assertAbsent(store, "");
    await assertUnwritable(store, "");
    assert.equal((await store.open("")).isNew, true);
    assert.equal(gate.received.length, 0);
    assert.deepEqual(await beside.get(stores.namespace), { admin: true });
  });

  test("ids from Webware open, and ids with every legal character", async () => {
    const store = stores.make();
    for (
      const id of ["20240131235959-0123456789abcdef0123456789abcdef", "A-z_0.9", "__proto__", "."]
    ) {
      await store.set(`${id}`, { id });
      const session = await store.open(id);
      assert.equal(session.id, id);
      assert.equal(session.get("id"), id);
      await store.delete(id);
    }
  });

  test("visitors with bad ids and those with good ones do not get in each other's way", async () => {
    const store = stores.make();
    const ids = await Promise.all(HEX.split("").map((n) => storedSession(store, { n })));
    const visits = ids.flatMap((id, at) => [
      store.open(`${id}\n`).then((session) => assert.equal(session.isNew, true)),
      store.get(`${id}\r\nget ${someId()}`).then((value) => assert.equal(value, undefined)),
      store.open(id).then((session) => assert.equal(session.get("n"), HEX[at])),
    ]);
    await Promise.all(visits);
  });
});

test("mcKey is namespace and id, WebwareSession by default", () => {
  assert.equal(new SessionStore().mcKey("abc"), "WebwareSessionabc");
  assert.equal(new SessionStore({ namespace: "" }).mcKey("abc"), "abc");
});

test("mcKey with a secret is a SHA-256 of namespace and id, the same for every secret", () => {
  for (const secret of [SECRET, "another secret of length", [SECRET, "a third one of length"]]) {
    for (const namespace of ["WebwareSession", "", "é:"]) {
      const store = new SessionStore({ secret, namespace });
      const hash = createHash("sha256").update(`memwire session id\0${namespace}\0日本`);
      assert.equal(store.mcKey("日本"), namespace + hash.digest("base64url"));
      assert.notEqual(store.mcKey("abc"), store.mcKey("abd"));
    }
  }
});

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import {
  ClosedError,
  Memcached,
  MemcachedError,
  SerializationError,
  ServerDownError,
  type Session,
  SessionStore,
  type SessionStoreOptions,
  TimeoutError,
} from "../../mod.ts";
import { freePort } from "../support/memcached.ts";
import { startGate } from "./gate.ts";
import { describeDialects, type Fields, someId, storedSession } from "./stores.ts";

const REFUSED = { code: "ERR_INVALID_ARGUMENT" };

/** Calls of each method that asks a server, with a session that has changes. */
function calls(
  store: SessionStore<Fields>,
  session: Session,
): Record<string, () => Promise<unknown>> {
  return {
    get: () => store.get("id"),
    set: () => store.set("id", { a: 1 }),
    has: () => store.has("id"),
    delete: () => store.delete("id"),
    setDefault: () => store.setDefault("id", { a: 1 }),
    pop: () => store.pop("id"),
    touch: () => store.touch("id"),
    update: () => store.update("id", () => ({ a: 1 })),
    open: () => store.open("id"),
    storeSession: () => store.storeSession(session),
  };
}

async function changed(store: SessionStore<Fields>): Promise<Session> {
  return (await store.open()).set("a", 1);
}

describeDialects("a store", (stores) => {
  test("unreachable: every call rejects, and nothing looks absent", async (t) => {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    const store = stores.make({ servers: gate.address });
    const session = await changed(store);
    await gate.shut();
    for (const [name, call] of Object.entries(calls(store, session))) {
      await assert.rejects(call(), ServerDownError, name);
    }
    assert.equal(session.isDirty(), true);
    assert.equal(session.isNew, true);
  });

  test("no answer: every call rejects in time", async (t) => {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    const store = stores.make({ servers: gate.address, timeout: 60 });
    const session = await changed(store);
    await store.get("connected", { timeout: 5_000 });
    let release = (): void => {};
    const held = new Promise<void>((resolve) => release = resolve);
    // Hold the first command of each connection, because reads are retried over another one.
    for (let connection = 0; connection < 20; connection++) gate.before(/./, () => held);
    const started = Date.now();
    const all = Object.entries(calls(store, session));
    await Promise.all(all.map(([name, call]) => assert.rejects(call(), TimeoutError, name)));
    assert.ok(Date.now() - started < 1000, "in time");
    release();
  });

  test("closed: every new call rejects, and calls that had begun end normally", async () => {
    const store = stores.make();
    const session = await changed(store);
    const first = store.storeSession(session);
    const second = store.update("counter", () => Promise.resolve({ a: 1 }));
    await store.close();
    assert.equal(await first, "stored");
    assert.deepEqual(await second, { a: 1 });
    for (const [name, call] of Object.entries(calls(store, session))) {
      await assert.rejects(call(), ClosedError, name);
    }
    await assert.rejects(store.open(), ClosedError);
    await store.close();
    await store.storeAllSessions();
    await store[Symbol.asyncDispose]();
  });

  test("an aborted signal rejects with its reason", async () => {
    const store = stores.make();
    const session = await changed(store);
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await assert.rejects(store.open(someId(), { signal }), (error) => error === reason);
    await assert.rejects(store.storeSession(session, { signal }), (error) => error === reason);
    await assert.rejects(store.pop("id", { signal }), (error) => error === reason);
    await assert.rejects(store.get("id", { signal }), (error) => error === reason);
    assert.equal(await store.storeSession(session), "stored");
  });

  test("wrong arguments reject; no method throws", async () => {
    const store = stores.make();
    const session = await changed(store);
    const id = someId();
    for (const options of [5, "x", { timeout: 0 }, { timeout: "1" }, { signal: {} }]) {
      await assert.rejects(store.get(id, options as never), REFUSED);
      await assert.rejects(store.open(id, options as never), REFUSED);
      await assert.rejects(store.storeSession(session, options as never), REFUSED);
    }
    for (const ttl of [NaN, -1, "60", null, Date.now()]) {
      await assert.rejects(store.set(id, {}, { ttl } as never), REFUSED);
      await assert.rejects(store.setDefault(id, {}, { ttl } as never), REFUSED);
      await assert.rejects(store.update(id, () => ({}), { ttl } as never), REFUSED);
      await assert.rejects(store.touch(id, ttl as never), REFUSED);
    }
    await assert.rejects(store.storeSession({} as never), REFUSED);
    await assert.rejects(store.storeSession(undefined as never), REFUSED);
    await assert.rejects(stores.make().storeSession(session), REFUSED, "another store's");
    assert.equal(await store.has(id), false);
  });

  test("a function in a session: an error with its path, and the old value stays", async () => {
    const store = stores.make();
    const id = await storedSession(store, { a: 1 });
    const session = await store.open(id);
    session.set("user", { cb: () => 1 });
    await assert.rejects(
      store.storeSession(session),
      (error) =>
        error instanceof SerializationError && error.path === "user.cb" &&
        error.message.includes("user.cb"),
    );
    assert.equal(session.isDirty(), true);
    assert.deepEqual(await store.get(id), { a: 1 });
    await assert.rejects(
      store.set(id, { list: [() => 1] }),
      (error) => error instanceof SerializationError && error.path === "list[0]",
    );
    session.set("user", "ada");
    assert.equal(await store.storeSession(session), "stored");
  });
});

test("options: the constructor refuses impossible ones, and the message names the rule", (t: TestContext) => {
  const client = new Memcached("127.0.0.1:1");
  t.after(() => client.close());
  const wrong: Record<string, SessionStoreOptions> = {
    "ttl text": { ttl: "60" as never },
    "ttl negative": { ttl: -1 },
    "ttl ms": { ttl: Date.now() },
    "absoluteTtl 0": { absoluteTtl: 0 },
    "absoluteTtl NaN": { absoluteTtl: NaN },
    "absoluteTtl text": { absoluteTtl: "1" as never },
    "absoluteTtl ms": { absoluteTtl: 30 * 86_400_000 },
    "onIteration": { onIteration: "Warning" as never },
    "alwaysSave": { alwaysSave: 1 as never },
    "lastWriteWins": { lastWriteWins: "yes" as never },
    "secret short": { secret: "fifteen bytes.." },
    "secret none": { secret: [] },
    "secret number": { secret: 5 as never },
    "secret short in a list": { secret: ["sixteen bytes ok", "short"] },
    "maxBytes": { maxBytes: 0 },
    "serializer": { serializer: {} as never },
    "namespace number": { namespace: 5 as never },
    "namespace space": { namespace: "a b" },
    "namespace CRLF": { namespace: "a\r\n" },
    "namespace DEL": { namespace: "a\x7f" },
    "namespace too long": { namespace: "n".repeat(250) },
    "namespace without room for an id": { namespace: "n".repeat(219) },
    "namespace without room for a hidden id": {
      namespace: "n".repeat(208),
      secret: "a secret, long enough",
    },
    "client": { client: {} as never },
    "client and servers": { client, servers: "localhost" },
    "client and timeout": { client, timeout: 5 },
    "server": { servers: "localhost:port" },
    "protocol": { protocol: "binary" as never },
  };
  for (const [name, options] of Object.entries(wrong)) {
    assert.throws(() => new SessionStore(options), REFUSED, name);
  }
  assert.throws(() => new SessionStore(5 as never), REFUSED);
  assert.throws(() => new SessionStore(null as never), REFUSED);
  new SessionStore({ namespace: "n".repeat(218) });
  new SessionStore({ namespace: "n".repeat(207), secret: "a secret, long enough" });
  new SessionStore({ namespace: "", secret: ["sixteen bytes ok", "sechzehn bytes ü"] });
});

test("a client that was given is shared, and never closed by the store", async (t) => {
  const port = await freePort();
  const client = new Memcached(`127.0.0.1:${port}`, { prefix: "app:" });
  t.after(() => client.close());
  const store = new SessionStore({ client, namespace: "s:" });
  assert.equal(store.mcKey("id"), "s:id");
  await store.close();
  await assert.rejects(
    client.get("a"),
    (error) => error instanceof MemcachedError && !(error instanceof ClosedError),
  );
});

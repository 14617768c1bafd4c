/**
 * npm and bundlers can load two copies of this package in one process. A store of one copy must work with a
 * client of the other. The projects under test/projects check this with real bundlers.
 */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as own from "../../mod.ts";
import * as ownV8 from "../../src/v8/mod.ts";
import { startMemcached } from "../support/memcached.ts";
import { describeDialects, type Fields, fieldsOf, someId } from "./stores.ts";

type Package = typeof own;

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "memwire-copies-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Returns the path of a copy of the source, with another version's number if one is given. */
function copy(name: string, version?: string): string {
  const path = join(folder, name);
  for (const part of ["mod.ts", "src"]) {
    cpSync(join(ROOT, part), join(path, part), { recursive: true });
  }
  writeFileSync(join(path, "package.json"), `{ "type": "module" }`);
  if (version === undefined) return path;
  const file = join(path, "src/client/copies.ts");
  const text = readFileSync(file, "utf8");
  const changed = text.replace(/(VERSION = )"[^"]+"/, (_, before) => `${before}"${version}"`);
  assert.notEqual(changed, text, "the version was found");
  writeFileSync(file, changed);
  return path;
}

async function load<T>(path: string, file: string): Promise<T> {
  return await import(pathToFileURL(join(path, file)).href) as T;
}

const path = copy("same");
const other = await load<Package>(path, "mod.ts");
const otherV8 = await load<typeof ownV8>(path, "src/v8/mod.ts");

test("these are two copies", () => {
  assert.notEqual(other.Memcached, own.Memcached);
  assert.ok(!(new other.Memcached() instanceof own.Memcached));
});

describeDialects("a store of one copy, a client of another", (stores) => {
  for (const [title, theirs, ours] of [["there", other, own], ["here", own, other]] as const) {
    test(`works with a client from ${title}`, async (t) => {
      const client = new theirs.Memcached(stores.address, {
        protocol: stores.protocol,
        timeout: 5_000,
      });
      t.after(() => client.close());
      const secret = "a secret, sixteen bytes at least";
      const options = { client, namespace: `copies${someId()}:`, secret };
      const store = new ours.SessionStore<Fields>(options);
      const session = await store.open();
      session.set("list", [1, new Map([["a", 1]])]);
      assert.equal(await store.storeSession(session), "stored");

      const [one, two] = [await store.open(session.id), await store.open(session.id)];
      one.set("one", 1);
      two.set("two", 2);
      assert.equal(await store.storeSession(one), "stored");
      assert.equal(await store.storeSession(two), "stored", "merged");
      two.regenerate();
      assert.equal(await store.storeSession(two), "stored", "moved");
      assert.equal((await store.open(session.id)).isNew, true);
      const list = [1, new Map([["a", 1]])];
      assert.deepEqual(fieldsOf(await store.open(two.id)), { list, one: 1, two: 2 });

      await store.update(two.id, (fields) => ({ ...fields, three: 3 }));
      assert.deepEqual(await store.pop(two.id), { list, one: 1, two: 2, three: 3 });
      assert.equal(await store.has(two.id), false);
      await store.close();
      assert.equal(
        await client.get(someId()),
        undefined,
        "the client is not closed with the store",
      );
    });
  }

  test("a corrupt value that the other copy's serializer reports is passed on unchanged", async (t) => {
    const { serialize, deserialize } = otherV8;
    const serializer = {
      serialize: (value: unknown) => ({ data: serialize(value), flags: 0 }),
      deserialize: (data: Uint8Array) => deserialize(data),
    };
    const client = new own.Memcached(stores.address, { protocol: stores.protocol, serializer });
    t.after(() => client.close());
    const key = someId();
    await stores.raw.set(key, { data: Uint8Array.of(255, 15, 1), flags: 0 });
    const messageOf = (read: () => unknown): Promise<string> =>
      (async () => await read())().then(() => "read", (error) => `${error.code} ${error.message}`);
    const message = await messageOf(() => client.get(key));
    assert.match(message, /^CORRUPT_VALUE /);
    assert.equal(message, await messageOf(() => ownV8.deserialize(Uint8Array.of(255, 15, 1))));

    const sealed = stores.make({ serializer });
    const session = await sealed.open();
    session.set("user", { cb: () => {} });
    const refused = { code: "SERIALIZATION", path: "user.cb" };
    await assert.rejects(sealed.storeSession(session), refused, "the path begins with a field");
  });
});

test("a save that was not sent is repeated with the session's new state, also by another copy's client", async (t) => {
  const server = await startMemcached();
  t.after(() => server.stop());
  const client = new other.Memcached(server.address);
  t.after(() => client.close());
  const store = new own.SessionStore<Fields>({ client });
  await server.kill();
  const session = await store.open();
  session.set("a", 1);
  await assert.rejects(store.storeSession(session), { code: "SERVER_DOWN", ambiguous: false });
  session.set("a", 2);
  await server.restart();
  const limit = Date.now() + 10_000;
  for (;;) {
    const outcome = await store.storeSession(session).catch((error) => error.code);
    if (outcome === "stored") break;
    assert.ok(outcome === "SERVER_DOWN" && Date.now() < limit, outcome);
    await sleep(20);
  }
  assert.deepEqual(await store.get(session.id), { a: 2 });
});

describe("a client that a store cannot work with is refused", () => {
  test("one of another version of this package, with both versions named", async (t) => {
    const newer = await load<Package>(copy("newer", "99.1.2"), "mod.ts");
    const client = new newer.Memcached();
    t.after(() => client.close());
    const refused = {
      name: "TypeError",
      code: "ERR_INVALID_ARGUMENT",
      message:
        /two versions of memwire are loaded: the client is of 99\.1\.2, and the session store of (?!99)/,
    };
    assert.throws(() => new own.SessionStore({ client }), refused);
  });

  test("something that is not a client", () => {
    for (const client of [{}, null, "localhost", class Memcached {}, own.Memcached.prototype]) {
      const refused = { code: "ERR_INVALID_ARGUMENT", message: "client must be a Memcached" };
      assert.throws(() => new own.SessionStore({ client: client as own.Memcached }), refused);
    }
  });

  test("a session of another copy's store", async (t) => {
    const stores = [new own.SessionStore(), new other.SessionStore()] as const;
    t.after(() => Promise.all(stores.map((store) => store.close())));
    await assert.rejects(
      stores[0].storeSession(await stores[1].open() as own.Session),
      { code: "ERR_INVALID_ARGUMENT", message: /a Session of this store/ },
    );
  });
});

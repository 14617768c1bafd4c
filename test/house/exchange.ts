/**
 * Saves and reads a session with values that are hard to carry from one runtime to another. It is also a
 * program, so that a test can run either step in another runtime:
 *
 *     exchange.ts save SERVER       prints the session's id
 *     exchange.ts read SERVER ID
 */
import assert from "node:assert/strict";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { SessionStore } from "../../mod.ts";

interface Fields {
  names: Map<string, unknown>;
  born: Date;
  big: bigint;
  bytes: Uint8Array;
  self: { me?: unknown; list: unknown[] };
}

/** Saves the session, and resolves to its id. */
export async function save(server: string): Promise<string> {
  const store = new SessionStore<Fields>({ servers: server });
  const session = await store.open();
  const self: Fields["self"] = { list: [new Set(["é", "日本", "\u{1f36a}"]), -0, undefined, null] };
  self.me = self;
  session.set("names", new Map<string, unknown>([["ada", { since: 1815 }], ["again", self]]));
  session.set("born", new Date(Date.UTC(1815, 11, 10)));
  session.set("big", -(2n ** 100n));
  session.set("bytes", Uint8Array.of(0, 127, 128, 255));
  session.set("self", self);
  assert.equal(await store.storeSession(session), "stored");
  await store.close();
  return session.id;
}

/** Opens the session and checks everything that is in it. */
export async function read(server: string, id: string): Promise<void> {
  const store = new SessionStore<Fields>({ servers: server });
  const session = await store.open(id);
  await store.close();
  assert.equal(session.isNew, false);
  const [names, self] = [session.get("names"), session.get("self")];
  assert.ok(names instanceof Map && self !== undefined);
  assert.deepEqual(names.get("ada"), { since: 1815 });
  assert.equal(names.get("again"), self, "the same object in both places");
  assert.equal(self.me, self, "the cycle");
  assert.deepEqual(self.list[0], new Set(["é", "日本", "\u{1f36a}"]));
  assert.ok(Object.is(self.list[1], -0));
  assert.deepEqual(self.list.slice(2), [undefined, null]);
  const born = session.get("born");
  assert.ok(born instanceof Date);
  assert.equal(born.toISOString(), "1815-12-10T00:00:00.000Z");
  assert.equal(session.get("big"), -(2n ** 100n));
  assert.deepEqual([...session.get("bytes") ?? []], [0, 127, 128, 255]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [what, server = "", id = ""] = process.argv.slice(2);
  if (what === "save") console.log(await save(server));
  else await read(server, id);
}

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { channel } from "node:diagnostics_channel";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { inspect } from "node:util";
import { serialize } from "../../src/v8/mod.ts";
import { SessionStore, type SessionStoreOptions } from "../../mod.ts";
import { freePort } from "../support/memcached.ts";
import { startScriptedServer } from "../support/scripted_server.ts";
import { startGate } from "./gate.ts";
import { describeDialects, type Fields, someId, storedSession } from "./stores.ts";
import { PATIENT } from "../support/patient.ts";

const VALUE = "VALUE-nobody-may-see";
const SECRET = "SECRET-nobody-may-see, long enough";

/** Everything that a program can find in an error or a message by inspecting it. */
function shown(thing: unknown, depth = 0): string {
  let text = inspect(thing, {
    depth: 12,
    showHidden: true,
    getters: true,
    maxStringLength: Infinity,
  });
  if (thing instanceof Error) {
    text += `${thing.message} ${thing.stack} ${JSON.stringify(thing)} ${thing.name}`;
    for (const name of Reflect.ownKeys(thing)) {
      text += `${String(name)} ${
        inspect(Reflect.get(thing, name), { depth: 12, showHidden: true })
      }`;
    }
    if (thing.cause !== undefined && depth < 9) text += shown(thing.cause, depth + 1);
  }
  return text;
}

/** Fails if any of the words is visible in the thing. */
function assertSilent(thing: unknown, words: readonly string[]): void {
  const text = shown(thing);
  for (const word of words) {
    assert.ok(!text.includes(word), `${JSON.stringify(word)} is to be seen in ${text}`);
    const bytes = inspect(Buffer.from(word)).slice("<Buffer ".length, -1);
    assert.ok(
      !text.includes(bytes),
      `the bytes of ${JSON.stringify(word)} are visible in ${text}`,
    );
  }
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  assert.fail("it did not reject");
}

/** A serializer whose errors quote the value that they failed on, as JSON.parse does. */
const talkative = {
  serialize: (value: unknown) => ({ data: Buffer.from(JSON.stringify(value)), flags: 3 }),
  deserialize: (data: Uint8Array): unknown => JSON.parse(Buffer.from(data).toString()),
};

describeDialects("no id and no value is visible", (stores) => {
  const stored: Record<string, SessionStoreOptions> = {
    "plain": {},
    "with a secret": { secret: SECRET },
    "with a serializer": { serializer: talkative },
  };
  for (const [name, options] of Object.entries(stored)) {
    test(`in the errors of values that cannot be read (${name})`, async () => {
      const store = stores.make(options);
      const id = someId();
      const key = store.mcKey(id);
      const words = [id, key, VALUE, SECRET];
      const good = Buffer.from(serialize([{ a: VALUE }, 1, null]));
      const bad: [Uint8Array, number][] = [
        [Buffer.from(VALUE), 0],
        [Buffer.from(VALUE), 256],
        [Buffer.from(VALUE), 1],
        [Buffer.from(VALUE), 3],
        [Buffer.from(`{"a":"${VALUE}`), 3],
        [Buffer.from(`["${VALUE}"]`), 3 | 512],
        [Buffer.from(VALUE), 256 | 512 | 1024],
        [good.subarray(0, -4), 256 | 512],
        [Buffer.concat([good, Buffer.from(VALUE)]), 256 | 512],
        [serialize([VALUE, VALUE, VALUE]), 256 | 512],
        [serialize([{ a: VALUE }, VALUE, null]), 256 | 512],
        [serialize([{ a: VALUE }, NaN, null]), 256 | 512],
        [serialize([{ a: VALUE }, 1, -1]), 256 | 512],
        [serialize([{ a: VALUE }, 1, NaN]), 256 | 512],
        [serialize({ a: VALUE }), 256 | 512],
        [serialize(VALUE), 256],
      ];
      for (const [data, flags] of bad) {
        await stores.raw.set(key, { data, flags });
        assertSilent(await rejection(store.open(id)), words);
      }
    });
  }

  test("in the errors of writes that are refused", async () => {
    for (const options of Object.values(stored)) {
      const store = stores.make({ ...options, maxBytes: 500 });
      const id = await storedSession(store, { a: 1 });
      const words = [id, store.mcKey(id), VALUE, SECRET];
      const session = await store.open(id);
      session.set("a", VALUE.repeat(50));
      assertSilent(await rejection(store.storeSession(session)), words);
      if (options.serializer !== undefined) continue;
      session.set("a", { text: VALUE, call: () => VALUE, map: new Map([[VALUE, () => VALUE]]) });
      assertSilent(await rejection(store.storeSession(session)), words);
      session.set("a", new Map([[VALUE, () => VALUE]]));
      assertSilent(await rejection(store.storeSession(session)), words);
    }
  });

  test("in the errors of ids that are refused", async () => {
    const store = stores.make();
    for (
      const id of ["SECRETID\r\nx", "SECRETID a", `SECRETID${"x".repeat(250)}`, "SECRETID\ud800"]
    ) {
      for (
        const call of [store.set(id, {}), store.update(id, () => ({})), store.setDefault(id, {})]
      ) {
        assertSilent(await rejection(call), ["SECRETID"]);
      }
    }
  });

  test("in the errors of servers that fail", async (t) => {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    for (const options of Object.values(stored)) {
      const store = stores.make({ ...options, servers: gate.address, timeout: 5_000 });
      const id = await storedSession(store, { a: VALUE });
      const words = [id, store.mcKey(id), VALUE, SECRET];
      const session = await store.open(id);
      session.set("b", VALUE);
      gate.lose("reply", /^(ms|cas)/);
      assertSilent(await rejection(store.storeSession(session)), words);
      gate.before(/./, () => new Promise((resolve) => setTimeout(resolve, 2_000)));
      assertSilent(await rejection(store.get(id, { timeout: 30 })), words);
      await gate.shut();
      assertSilent(await rejection(store.open(id)), words);
      assertSilent(await rejection(store.storeSession(session)), words);
      await gate.reopen();
    }
  });

  test("in the errors of unexpected replies", async (t) => {
    const id = someId();
    const replies = [
      `VALUE ${stores.namespace}${id} 256 5\r\n${VALUE}\r\nEND\r\n`,
      `VA 3 k${stores.namespace}${id} f256 O0\r\n${VALUE}`,
      `${VALUE}\r\n`,
      `EN O999 k${id}\r\n`,
      `HD ${VALUE}\r\n`,
    ];
    const { protocol: dialect } = stores;
    const server = await startScriptedServer(async (peer) => {
      await peer.next();
      await peer.write(replies[peer.index % replies.length] as string);
      await peer.next();
    }, { dialect });
    t.after(() => server.stop());
    for (const _ of replies) {
      const store = new SessionStore({
        servers: server.address,
        ...PATIENT,
        namespace: stores.namespace,
      });
      const error = await rejection(store.pop(id, { timeout: 200 }));
      assertSilent(error, [id, VALUE]);
      await store.close();
    }
  });

  test("in the diagnostics channels", async (t: TestContext) => {
    const seen: unknown[] = [];
    const listen = (message: unknown): void => {
      seen.push(message);
      if (message instanceof Object) seen.push({ ...message });
    };
    const names = ["command:start", "command:end", "connection", "server"];
    for (const name of names) channel(`memwire:${name}`).subscribe(listen);
    t.after(() => names.forEach((name) => channel(`memwire:${name}`).unsubscribe(listen)));
    const words = [VALUE, SECRET];
    for (const options of Object.values(stored)) {
      const port = await freePort();
      const store = stores.make(options);
      const down = stores.make({ ...options, servers: `127.0.0.1:${port}` });
      const id = await storedSession(store, { a: VALUE });
      const session = await store.open(id);
      session.set("b", VALUE).regenerate();
      await store.storeSession(session);
      await store.set(id, { a: VALUE });
      await store.update(id, (value) => value);
      await store.pop(id);
      await store.setDefault(id, { a: VALUE });
      await rejection(store.set(id, { a: VALUE.repeat(60_000) }));
      await rejection(down.open(id));
      words.push(id, store.mcKey(id), session.id, store.mcKey(session.id));
    }
    assert.ok(seen.length > 50, `${seen.length} messages`);
    for (const message of seen) assertSilent(message, words);
  });

  test("in the warnings of methods that do not list", async (t: TestContext) => {
    const warnings: unknown[] = [];
    const listen = (warning: unknown): number => warnings.push(warning);
    process.on("warning", listen);
    t.after(() => process.off("warning", listen));
    const store = stores.make<Fields>({ secret: SECRET });
    await store.size();
    await store.clear();
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok(warnings.length >= 2, `${warnings.length} warnings`);
    for (const warning of warnings) assertSilent(warning, [SECRET, stores.namespace]);
  });
});

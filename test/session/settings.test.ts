import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import {
  type ServerSpec,
  SessionStore,
  UnsupportedError,
  type WebwareSettings,
} from "../../mod.ts";
import { optionsFromSettings } from "../../src/session/settings.ts";
import { python } from "../support/programs.ts";
import { done, miss } from "../support/replies.ts";
import { type ScriptedServer, startScriptedServer } from "../support/scripted_server.ts";
import { startGate } from "./gate.ts";
import { describeDialects, fieldsOf, someId, storedSession } from "./stores.ts";

/** Starts servers that accept everything. Their names differ on all hash rings. */
async function startYesServers(t: TestContext, count: number): Promise<ScriptedServer[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () =>
      startScriptedServer(async (peer) => {
        for (;;) {
          const command = await peer.next();
          await peer.write(command.name === "get" ? miss(command) : done(command));
        }
      }, { dialect: "classic" })),
  );
  t.after(() => Promise.all(servers.map((server) => server.stop())));
  return servers;
}

/** Lists for each server the key and exptime of each set that came, so that two runs can be compared. */
function setsOf(servers: readonly ScriptedServer[]): string[][] {
  return servers.map(({ peers }) =>
    peers.flatMap(({ received }) => {
      const text = new TextDecoder("latin1").decode(received);
      return [...text.matchAll(/^set (\S+) \d+ (\d+) \d+ *\r$/gm)].map(([, key, exptime]) =>
        `${key} ${exptime}`
      );
    }).sort()
  );
}

/** Lets Webware's client, the real python-memcached, store the ids. */
async function storeAsWebware(job: {
  servers: readonly unknown[];
  namespace: string;
  minutes: number;
  ids: readonly string[];
}): Promise<void> {
  const child = spawn(python(), [fileURLToPath(new URL("./webware.py", import.meta.url))], {
    stdio: ["pipe", "ignore", "pipe"],
  });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => errors += text);
  child.stdin.end(JSON.stringify(job));
  const [status] = await once(child, "exit");
  assert.equal(status, 0, `The real python-memcached did not store: ${errors}`);
}

for (const minutes of [180, 1, 0, 43_200]) {
  test(`keys, servers and exptimes on the wire are Webware's: ${minutes} minutes`, async (t) => {
    const ids = Array.from({ length: 100 }, () => someId());
    const [theirs, ours] = [await startYesServers(t, 3), await startYesServers(t, 3)];
    const weights = [1, 2, 1];
    // python-memcached's choice depends on the order of the list alone, not on the names.
    const specs = (servers: readonly ScriptedServer[]): [string, number][] =>
      servers.map(({ address }, at) => [address, weights[at] as number]);
    const namespace = "WebwareSession";
    await storeAsWebware({ servers: specs(theirs), namespace, minutes, ids });

    const settings = { MemcachedServers: specs(ours) as ServerSpec[], SessionTimeout: minutes };
    const store = SessionStore.fromSettings(settings);
    t.after(() => store.close());
    for (const id of ids) await store.set(id, { id });
    assert.deepEqual(setsOf(ours), setsOf(theirs));
    assert.ok(setsOf(ours).every((sets) => sets.length > 5), "all servers have some");

    const session = await store.open();
    session.set("a", 1);
    await store.storeSession(session);
    const key = `${namespace}${session.id} ${minutes * 60}`;
    assert.equal(
      setsOf(ours).flat().filter((set) => set === key).length,
      1,
      "storeSession is a set",
    );
  });
}

test("a session of more than 30 days: Webware's exptime is in 1970, ours is right", async (t) => {
  const [theirs, ours] = [await startYesServers(t, 1), await startYesServers(t, 1)];
  const minutes = 43_201;
  const job = { servers: [theirs[0]?.address], namespace: "n", minutes, ids: ["id"] };
  await storeAsWebware(job);
  assert.deepEqual(setsOf(theirs), [[`nid ${minutes * 60}`]]);
  const store = SessionStore.fromSettings({
    MemcachedServers: [ours[0]?.address as string],
    MemcachedNamespace: "n",
    SessionTimeout: minutes,
  });
  t.after(() => store.close());
  await store.set("id", { a: 1 });
  const exptime = Number(setsOf(ours)[0]?.[0]?.split(" ")[1]);
  assert.ok(Math.abs(exptime - (Date.now() / 1000 + minutes * 60)) < 15, `${exptime}`);
});

test("the settings' defaults", () => {
  assert.deepEqual(optionsFromSettings({}, {}), {
    servers: ["localhost:11211"],
    hashing: "python-memcached-1.59",
    ttl: 180 * 60,
    namespace: "WebwareSession",
    onIteration: "warning",
    alwaysSave: true,
    lastWriteWins: true,
  });
  const store = SessionStore.fromSettings({});
  assert.equal(store.mcKey("id"), "WebwareSessionid");
});

test("each setting by its own name; options take precedence", () => {
  const settings: WebwareSettings = {
    MemcachedServers: ["a:1", ["b:2", 3], "inet6:[::1]:11211", "unix:/run/memcached"],
    SessionTimeout: 0.5,
    MemcachedNamespace: "W:",
    MemcachedOnIteration: "Error",
    AlwaysSaveSessions: false,
  };
  const options = optionsFromSettings(settings, { timeout: 5, failover: "rehash" });
  assert.deepEqual(options, {
    servers: settings.MemcachedServers,
    hashing: "python-memcached-1.59",
    ttl: 30,
    namespace: "W:",
    onIteration: "error",
    alwaysSave: false,
    lastWriteWins: true,
    timeout: 5,
    failover: "rehash",
  });
  new SessionStore(options);
  assert.equal(optionsFromSettings(settings, { ttl: 7, lastWriteWins: false }).ttl, 7);
});

test("an option that is undefined is not given", () => {
  const settings: WebwareSettings = { MemcachedServers: ["a:1"], SessionTimeout: 1 };
  const names = ["servers", "hashing", "ttl", "namespace", "onIteration", "alwaysSave"];
  const nothing = Object.fromEntries([...names, "lastWriteWins"].map((name) => [name, undefined]));
  assert.deepEqual(optionsFromSettings(settings, nothing), optionsFromSettings(settings, {}));
});

test("a secret that is undefined is refused, so that it cannot leave sessions unsealed", () => {
  const secret = undefined as never;
  const refused = { name: "TypeError", code: "ERR_INVALID_ARGUMENT", message: /^secret must be/ };
  assert.throws(() => SessionStore.fromSettings({}, { secret }), refused);
  assert.throws(() => new SessionStore({ secret }), refused);
});

test("MemcachedNamespace and MemcachedOnIteration mean what they mean in Webware", () => {
  for (const none of [null, ""]) {
    assert.equal(SessionStore.fromSettings({ MemcachedNamespace: none }).mcKey("id"), "id");
  }
  const policies: [unknown, string][] = [
    ["Warning", "warning"],
    ["Error", "error"],
    ["error", "warning"],
    ["anything", "warning"],
    [null, "none"],
    ["", "none"],
    [false, "none"],
  ];
  for (const [setting, policy] of policies) {
    const settings = { MemcachedOnIteration: setting as string };
    assert.equal(optionsFromSettings(settings, {}).onIteration, policy);
  }
});

test("impossible settings are refused", () => {
  const wrong: unknown[] = [
    { SessionTimeout: "180" },
    { SessionTimeout: -1 },
    { SessionTimeout: NaN },
    { AlwaysSaveSessions: "yes" },
    { MemcachedServers: ["localhost:port"] },
    { MemcachedNamespace: 5 },
    { MemcachedNamespace: "a b" },
  ];
  for (const settings of wrong) {
    assert.throws(() => SessionStore.fromSettings(settings as WebwareSettings), {
      code: "ERR_INVALID_ARGUMENT",
    });
  }
});

describeDialects("a store with Webware's settings", (stores) => {
  const make = (settings: WebwareSettings = {}, server = stores.address): SessionStore =>
    SessionStore.fromSettings({ MemcachedServers: [server], ...settings }, {
      protocol: stores.protocol,
      namespace: stores.namespace,
    });

  test("last write wins, a late save brings back what was logged out", async (t) => {
    const store = make();
    t.after(() => store.close());
    const id = await storedSession(store, { a: 1 });
    const [one, two] = [await store.open(id), await store.open(id)];
    one.set("b", 1);
    two.set("c", 1);
    await store.storeSession(one);
    await store.storeSession(two);
    assert.deepEqual(fieldsOf(await store.open(id)), { a: 1, c: 1 });
    one.destroy();
    assert.equal(await store.storeSession(one), "deleted");
    two.set("d", 1);
    assert.equal(await store.storeSession(two), "stored");
    assert.deepEqual(await store.get(id), { a: 1, c: 1, d: 1 });
  });

  test("AlwaysSaveSessions: an unchanged session is refreshed, or left alone", async (t) => {
    const gate = await startGate(stores.address);
    t.after(() => gate.stop());
    for (
      const [AlwaysSaveSessions, expected] of [[true, "touched"], [false, "unchanged"]] as const
    ) {
      const store = make({ AlwaysSaveSessions }, gate.address);
      t.after(() => store.close());
      const session = await store.open(await storedSession(store, { a: 1 }));
      await store.touch(session.id, 20);
      gate.clear();
      assert.equal(await store.storeSession(session), expected);
      assert.equal(gate.lines.length > 0, AlwaysSaveSessions);
      const ttl = (await stores.stored(store.mcKey(session.id)))?.ttl as number;
      assert.equal(ttl > 20, AlwaysSaveSessions);
    }
  });

  test("MemcachedOnIteration", async (t) => {
    const store = make({ MemcachedOnIteration: "Error" });
    t.after(() => store.close());
    await assert.rejects(store.size(), UnsupportedError);
    const silent = make({ MemcachedOnIteration: null });
    t.after(() => silent.close());
    assert.equal(await silent.size(), 0);
  });
});

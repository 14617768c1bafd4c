/** A server that fails: its keys fail fast, other keys are not affected, and a probe brings it back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ConnectionLostError, Memcached, ServerDownError, TimeoutError } from "../../mod.ts";
import { type MemcachedServer, startMemcached } from "../support/memcached.ts";
import { startScriptedServer } from "../support/scripted_server.ts";
import { until } from "../support/until.ts";
import { answer, outcomeAtOnce } from "../faults/rig.ts";
import { PATIENT } from "../support/patient.ts";

async function three(): Promise<MemcachedServer[]> {
  return await Promise.all([startMemcached(), startMemcached(), startMemcached()]);
}

/** Stops the server, and waits until all of its threads have stopped. */
async function pause(server: MemcachedServer): Promise<void> {
  server.pause();
  await sleep(50);
}

/** Keys by the server that holds them. */
function keysOf(client: Memcached, server: MemcachedServer, count: number): string[] {
  const keys: string[] = [];
  for (let i = 0; keys.length < count; i++) {
    if (client.serverFor(`key-${i}`).address === server.address) keys.push(`key-${i}`);
  }
  return keys;
}

test("one of three killed under steady load: its keys fail fast, the others lose no request", async (t) => {
  const servers = await three();
  t.after(() => Promise.all(servers.map((server) => server.stop())));
  const [victim, ...others] = servers as [MemcachedServer, ...MemcachedServer[]];
  const client = new Memcached(servers.map((server) => server.address), { timeout: 2_000 });
  t.after(() => client.close());
  const lost = keysOf(client, victim, 20);
  const kept = others.flatMap((server) => keysOf(client, server, 20));
  await client.setMany([...lost, ...kept].map((key) => [key, key] as const));

  let stop = false;
  let served = 0;
  const wrong: unknown[] = [];
  const load = Array.from({ length: 10 }, async (_, worker) => {
    for (let i = worker; !stop; i++) {
      const key = kept[i % kept.length] as string;
      await client.get(key).then((value) => {
        served++;
        if (value !== key) wrong.push(value);
      }, (error: unknown) => wrong.push(error));
      if (i % 50 === 0) await sleep(1);
    }
  });
  await until(() => served > 500);
  await victim.kill();
  await until(async () => await client.get(lost[0] as string).then(() => false, () => true));

  for (const key of lost) {
    const { error } = await outcomeAtOnce(client.get(key));
    assert.ok(error instanceof ServerDownError, String(error));
    assert.equal(error.server?.address, victim.address);
    assert.match(error.message, new RegExp(victim.address));
    assert.equal(error.ambiguous, false);
  }

  const before = served;
  await victim.restart();
  // Nobody asks for the victim's keys, so only the probe can find out.
  await sleep(200 + 240 + 480);
  await until(async () => await client.get(lost[0] as string).then(() => true, () => false), 6_000);
  assert.equal(await client.get(lost[0] as string), undefined, "restarted: empty, and no error");
  stop = true;
  await Promise.all(load);
  assert.ok(served > before);
  assert.deepEqual(wrong, [], "no request to the other two failed");
});

test("no caller's request is spent on finding out that a server is back", async (t) => {
  const server = await startMemcached();
  t.after(() => server.stop());
  const client = new Memcached(server.address, PATIENT);
  t.after(() => client.close());
  await client.set("k", "v");
  await server.kill();
  await assert.rejects(
    until(async () => {
      await client.get("k");
      return false;
    }),
    (error: unknown) => error instanceof ServerDownError || error instanceof ConnectionLostError,
  );
  await until(async () =>
    (await client.get("k").catch((error: unknown) => error)) instanceof ServerDownError
  );
  await server.restart();
  const errors: unknown[] = [];
  await until(async () =>
    await client.get("k").then(() => true, (error: unknown) => {
      errors.push(error);
      return false;
    }), 6_000);
  // Until the probe succeeded each call was refused at once; none was sent and lost.
  for (const error of errors) assert.ok(error instanceof ServerDownError, String(error));
});

test("killed in mid-request: what is in flight rejects at once; started again, the next call works", async (t) => {
  const server = await startMemcached();
  t.after(() => server.stop());
  const client = new Memcached(server.address, { timeout: 20_000 });
  t.after(() => client.close());
  await client.set("k", "v");
  await pause(server); // so that the requests are surely in flight when it dies
  const calls = [
    ...Array.from({ length: 5 }, () => client.get("k")),
    ...Array.from({ length: 5 }, (_, i) => client.set(`k${i}`, "v")),
  ].map((call) => call.then(() => undefined, (error: unknown) => error));
  await sleep(50);
  const start = performance.now();
  await server.kill();
  const errors = await Promise.all(calls);
  const took = performance.now() - start;
  assert.ok(took < 10_000, `rejected after ${took} ms, the kill included`);
  for (const error of errors.slice(0, 5)) {
    assert.ok(error instanceof ServerDownError, String(error));
  }
  for (const error of errors.slice(5)) {
    assert.ok(error instanceof ConnectionLostError && error.ambiguous, String(error));
  }
  await server.restart();
  await until(async () => await client.set("k", "new").then(() => true, () => false), 1_000);
  assert.equal(await client.get("k"), "new");
});

test("refused at the start: rejects at once, and recovers by itself", async (t) => {
  const server = await startMemcached();
  t.after(() => server.stop());
  await server.kill();
  const client = new Memcached(server.address, { timeout: 20_000 });
  t.after(() => client.close());
  const start = performance.now();
  await assert.rejects(client.get("k"), ServerDownError);
  assert.ok(performance.now() - start < 10_000, "not by its deadline");
  await server.restart();
  await until(async () => await client.get("k").then(() => true, () => false), 3_000);
});

test("three timeouts in silence, and a new connection that gets no answer, make a server down", async (t) => {
  const server = await startMemcached();
  t.after(() => server.stop());
  const client = new Memcached(server.address, { timeout: 60, connectTimeout: 200 });
  t.after(() => client.close());
  await client.set("k", "v");
  await pause(server);
  const calls = await Promise.allSettled([client.get("k"), client.get("k"), client.get("k")]);
  for (const call of calls) {
    assert.ok(call.status === "rejected" && call.reason instanceof TimeoutError);
  }
  await until(async () =>
    (await client.get("k").catch((error: unknown) => error)) instanceof ServerDownError
  );
  const { error } = await outcomeAtOnce(client.get("k"));
  assert.ok(error instanceof ServerDownError, "known to be down, not found out again");
  server.resume();
  await until(async () => await client.get("k").then(() => true, () => false), 3_000);
  assert.equal(await client.get("k"), "v");
});

test("one call after another to a silent server: down after the reconnect that gets no answer", async (t) => {
  const server = await startMemcached();
  t.after(() => server.stop());
  const client = new Memcached(server.address, { timeout: 60, connectTimeout: 100 });
  t.after(() => client.close());
  await client.set("k", "v");
  await pause(server);
  await assert.rejects(client.get("k"), TimeoutError);
  await until(
    async () => (await client.get("k").catch((error: unknown) => error)) instanceof ServerDownError,
    1_000,
  );
});

test("timeouts shorter than the client's own do not count", async (t) => {
  const server = await startMemcached();
  t.after(() => server.stop());
  const client = new Memcached(server.address, { timeout: 2_000 });
  t.after(() => client.close());
  await client.set("k", "v");
  await pause(server);
  for (let i = 0; i < 5; i++) {
    await assert.rejects(client.get("k", { timeout: 30 }), TimeoutError);
  }
  server.resume();
  assert.equal(await client.get("k"), "v");
});

test("timeouts with replies between do not make a server down", async (t) => {
  let release = (): void => {};
  const lossy = await startScriptedServer(async (peer) => {
    // It answers late each time: the call times out, and then the reply still comes.
    for (;;) {
      const command = await peer.next();
      if (command.key.startsWith("late")) await new Promise<void>((resolve) => release = resolve);
      await peer.write(answer(command));
    }
  });
  t.after(() => lossy.stop());
  const client = new Memcached(lossy.address, { timeout: 150 });
  t.after(() => client.close());
  await client.get("warm");
  for (let i = 0; i < 5; i++) {
    await assert.rejects(client.get(`late-${i}`), TimeoutError);
    release();
    // Not a read, because that would be retried over another connection meanwhile.
    await until(async () => await client.set("k", "v").then(() => true, () => false), 1_000);
  }
  assert.equal(lossy.peers.length, 1, "the connection was kept throughout");
});

test("a server that closes an idle connection is not a failure: the next call has a new one", async (t) => {
  const server = await startScriptedServer(async (peer) => {
    await peer.write(answer(await peer.next()));
    await peer.end();
  });
  t.after(() => server.stop());
  const client = new Memcached(server.address, PATIENT);
  t.after(() => client.close());
  assert.equal(await client.get("a"), "the value of a");
  await until(() => server.peers.length === 1);
  await sleep(50);
  assert.equal(server.peers.length, 1, "not reconnected before it is needed");
  assert.equal(await client.get("b"), "the value of b");
  assert.equal(server.peers.length, 2);
});

// The session of one request and its cookie: what an early save, a slow server and other requests do to it.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Session, SessionStore } from "../../mod.ts";
import { resolveCookie, Visit } from "../../src/adapters/visit.ts";
import { startGate } from "../session/gate.ts";
import { type MemcachedServer, startMemcached } from "../support/memcached.ts";
import type { Shop } from "./visitor.ts";
import { PATIENT } from "../support/patient.ts";

describe("a visit", () => {
  let server: MemcachedServer;
  let store: SessionStore<Shop>;
  before(async () => {
    server = await startMemcached();
    store = new SessionStore({ servers: server.address, ...PATIENT });
  });
  after(async () => {
    await store.close();
    await server.stop();
  });

  async function loggedIn(): Promise<Session<Shop>> {
    const session = await store.open();
    session.set("user", "ada");
    await store.storeSession(session);
    return session;
  }

  const cookie = resolveCookie({ secure: false, maxAge: 60 });
  const visit = (id: string, of = store): Promise<Visit<Shop>> =>
    Visit.open(of, cookie, `session=${id}`);

  test("an early save renews the cookie", async () => {
    const { id } = await loggedIn();
    const slow = await visit(id);
    slow.session.set("note", "slow");
    assert.equal(await slow.store(), "stored");
    assert.equal(await slow.store(), "unchanged", "at the response");
    assert.match(slow.setCookie ?? "", new RegExp(`^session=${id}; .*Max-Age=60`));
  });

  for (const late of ["writes again", "does not write again"]) {
    for (const meanwhile of ["login", "logout"]) {
      test(`an early save, and a ${meanwhile} before the response, which ${late}: no cookie`, async () => {
        const { id } = await loggedIn();
        const slow = await visit(id);
        slow.session.set("note", "slow");
        assert.equal(await slow.store(), "stored");
        const other = await visit(id);
        if (meanwhile === "login") other.session.regenerate();
        else other.session.destroy();
        await other.store();
        if (late === "writes again") slow.session.set("note", "late");
        await slow.store();
        assert.equal(slow.setCookie, undefined);
      });
    }
  }

  test("an early save under a new id: its cookie is sent, whatever comes after", async () => {
    const { id } = await loggedIn();
    const login = await visit(id);
    login.session.regenerate();
    assert.equal(await login.store(), "stored");
    assert.equal(await login.store(), "unchanged");
    assert.match(login.setCookie ?? "", new RegExp(`^session=${login.session.id};`));
  });

  test("a session that moves is not left half by a server that blinks", async () => {
    const { id } = await loggedIn();
    await using gate = await startGate(server.address);
    await using far = new SessionStore<Shop>({ servers: gate.address, timeout: 2_000 });
    const login = await visit(id, far);
    login.session.regenerate();
    let blinked = false;
    gate.before(/^cas |^ms .* C\d/, async () => {
      blinked = true;
      await gate.shut();
      setTimeout(() => void gate.reopen(), 100);
    });
    assert.equal(await login.store(), "stored");
    assert.ok(blinked);
    assert.match(login.setCookie ?? "", new RegExp(`^session=${login.session.id};`));
    assert.deepEqual(await store.get(login.session.id), { user: "ada" });
  });

  test("the cookie names the id under which the session was stored, not the one before a blink", async () => {
    const { id } = await loggedIn();
    await using gate = await startGate(server.address);
    await using far = new SessionStore<Shop>({ servers: gate.address, timeout: 2_000 });
    const login = await visit(id, far);
    login.session.regenerate();
    gate.before(/^cas |^ms .* C\d/, async () => {
      await gate.shut();
      setTimeout(() => login.session.regenerate(), 20);
      setTimeout(() => void gate.reopen(), 100);
    });
    const first = login.session.id;
    await login.store();
    await login.store();
    assert.notEqual(login.session.id, first);
    assert.match(login.setCookie ?? "", new RegExp(`^session=${login.session.id};`));
    assert.deepEqual(await store.get(login.session.id), { user: "ada" });
  });

  test("a session that moves is not left half when the server is slow for longer than a call may take", async () => {
    const { id } = await loggedIn();
    await using gate = await startGate(server.address);
    await using far = new SessionStore<Shop>({ servers: gate.address, timeout: 1_000 });
    const login = await visit(id, far);
    login.session.regenerate();
    let held = false;
    gate.before(/^cas |^ms .* C\d/, async () => {
      held = true;
      await sleep(1_400);
    });
    assert.equal(await login.store(), "stored");
    assert.ok(held);
    assert.match(login.setCookie ?? "", new RegExp(`^session=${login.session.id};`));
    assert.deepEqual(await store.get(login.session.id), { user: "ada" });
    assert.equal(await store.get(id), undefined);
  });
});

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { CorruptValueError, Memcached, MemcachedError, SessionStore } from "../../mod.ts";
import { withSession, type WithSessionOptions } from "../../src/adapters/web.ts";
import { freePort, type MemcachedServer, startMemcached } from "../support/memcached.ts";
import { Application, type Shop, Visitor } from "./visitor.ts";
import { PATIENT } from "../support/patient.ts";

const REFUSED = { name: "TypeError", code: "ERR_INVALID_ARGUMENT" };

describe("withSession", () => {
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

  const shop = new Application();

  /** A visitor of the application, without a network. */
  function visitorOf(options?: WithSessionOptions, of: SessionStore<Shop> = store): Visitor {
    const handler = withSession(of, async (request, session) => {
      return new Response(await shop.answer(new URL(request.url).pathname, session));
    }, options);
    return new Visitor("http://localhost", handler);
  }

  test("the cookie is set for a stored id that is new to the request, and cleared at logout", async () => {
    const visitor = visitorOf();
    assert.deepEqual((await visitor.visit("/")).setCookie, [], "nothing to store");
    const first = await visitor.visit("/cart/tea");
    assert.match(
      first.setCookie[0] ?? "",
      /^__Host-session=[\w-]{32}; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
    );
    assert.deepEqual((await visitor.visit("/cart/milk")).setCookie, [], "stored, of the same id");
    assert.deepEqual((await visitor.visit("/")).setCookie, [], "unchanged");
    const before = visitor.cookie;
    assert.equal((await visitor.visit("/login")).setCookie.length, 1);
    assert.notEqual(visitor.cookie, before);
    assert.equal((await visitor.visit("/")).text, "ada tea,milk");
    const out = await visitor.visit("/logout");
    assert.match(
      out.setCookie[0] ?? "",
      /^__Host-session=; Path=\/; Max-Age=0; HttpOnly; Secure; SameSite=Lax$/,
    );
    assert.equal((await visitor.visit("/")).text, "nobody -");
    assert.deepEqual((await visitor.visit("/logout")).setCookie, [], "no cookie was brought");
  });

  test("with maxAge the cookie is set at every store", async () => {
    const visitor = visitorOf({ cookie: { maxAge: 60 } });
    await visitor.visit("/cart/tea");
    const again = await visitor.visit("/cart/milk");
    assert.match(again.setCookie[0] ?? "", /Max-Age=60/);
    assert.deepEqual((await visitor.visit("/")).setCookie, []);
  });

  test("the name is the strictest that the cookie's attributes allow", async () => {
    const names: readonly [cookie: WithSessionOptions["cookie"], name: string][] = [
      [{}, "__Host-session"],
      [{ maxAge: 5, sameSite: "Strict" }, "__Host-session"],
      [{ path: "/shop" }, "__Secure-session"],
      [{ domain: "example.org" }, "__Secure-session"],
      [{ secure: false }, "session"],
      [{ secure: false, path: "/shop" }, "session"],
      [{ name: "sid" }, "sid"],
    ];
    for (const [cookie, name] of names) {
      const visitor = visitorOf({ cookie });
      const { setCookie } = await visitor.visit("/cart/tea");
      assert.ok(setCookie[0]?.startsWith(`${name}=`), `${setCookie[0]} begins with ${name}`);
    }
    const sid = visitorOf({ cookie: { name: "sid" } });
    const { setCookie } = await sid.visit("/cart/tea");
    sid.cookie = setCookie[0]?.split(";")[0] ?? "";
    assert.equal((await sid.visit("/")).text, "nobody tea", "and it is read");
  });

  test("an answer that cannot be copied: nothing is stored, so the visitor keeps the session", async () => {
    const shared = new Response("shared");
    await shared.text();
    for (const wrong of [undefined, shared, Response.error()] as Response[]) {
      const visitor = new Visitor(
        "http://localhost",
        withSession(store, (request, session) => {
          if (!request.url.endsWith("/login")) return new Response(session.get("note") ?? "none");
          session.regenerate();
          return wrong;
        }),
      );
      const session = await store.open();
      session.set("note", "kept");
      await store.storeSession(session);
      visitor.cookie = `__Host-session=${session.id}`;
      await assert.rejects(visitor.visit("/login"));
      assert.equal((await visitor.visit("/")).text, "kept");
    }
  });

  test("the body of an answer that is dropped for a 503 is cancelled", async () => {
    await using down = new SessionStore<Shop>({ servers: `127.0.0.1:${await freePort()}` });
    let cancelled = false;
    const body = new ReadableStream({ cancel: () => void (cancelled = true) });
    const handler = withSession(down, (_request, session) => {
      session.set("note", "x");
      return new Response(body);
    });
    assert.equal((await handler(new Request("http://localhost"))).status, 503);
    assert.ok(cancelled);
  });

  test("a response that sets the cookie is for no shared cache", async () => {
    const table = [
      ["public, max-age=60, s-maxage=600", "private, max-age=60"],
      ["max-age=60", "private, max-age=60"],
      ["no-store", "private, no-store"],
      ["private", "private"],
      [undefined, "private"],
    ] as const;
    for (const [given, sent] of table) {
      const handler = withSession(store, (request, session) => {
        if (request.url.endsWith("/set")) session.set("note", "new");
        return new Response("", given === undefined ? {} : { headers: { "cache-control": given } });
      });
      const visitor = new Visitor("http://localhost", handler);
      const plain = await visitor.visit("/");
      assert.equal(plain.headers.get("cache-control"), given ?? null, "no cookie");
      const set = await visitor.visit("/set");
      assert.equal(set.setCookie.length, 1);
      assert.equal(set.headers.get("cache-control"), sent);
    }
  });

  test("Cookie is added to an existing Vary header", async () => {
    const varied: readonly [given: string | undefined, sent: string][] = [
      [undefined, "Cookie"],
      ["Accept", "Accept, Cookie"],
      ["accept, cookie", "accept, cookie"],
      ["*", "*"],
    ];
    for (const [given, sent] of varied) {
      const headers = given === undefined ? {} : { vary: given };
      const handler = withSession(store, () => new Response("", { headers }));
      assert.equal((await handler(new Request("http://localhost"))).headers.get("vary"), sent);
    }
  });

  test("the response is copied, so that a handler may return one response to all visitors", async () => {
    const shared = new Response(null, { status: 204, headers: { "set-cookie": "theme=dark" } });
    const handler = withSession(store, (_request, session) => {
      session.set("note", "mine");
      return shared;
    });
    const answers = [0, 1].map(() => handler(new Request("http://localhost")));
    const cookies = (await Promise.all(answers)).map(({ headers }) => headers.getSetCookie());
    for (const own of cookies) {
      assert.equal(own.length, 2);
      assert.equal(own[0], "theme=dark");
    }
    assert.notEqual(cookies[0]?.[1], cookies[1]?.[1]);
    assert.deepEqual(shared.headers.getSetCookie(), ["theme=dark"]);
    const redirect = withSession(store, (_request, session) => {
      session.set("note", "mine");
      return Response.redirect("http://localhost/there", 303); // its headers cannot be changed
    });
    const response = await redirect(new Request("http://localhost"));
    assert.equal(response.status, 303);
    assert.equal(response.headers.get("location"), "http://localhost/there");
    assert.equal(response.headers.getSetCookie().length, 1);
  });

  test("the session is stored before the body's first byte; a stream's later changes are not", async () => {
    let stored: Promise<unknown> | undefined;
    const handler = withSession(store, (_request, session) => {
      session.set("note", "early");
      const body = new ReadableStream({
        pull(controller): void {
          stored ??= store.get(session.id);
          session.set("note", "late");
          controller.enqueue(new TextEncoder().encode("piece"));
          controller.close();
        },
      }, { highWaterMark: 0 });
      return new Response(body, { status: 201, headers: { "x-own": "1" } });
    });
    const response = await handler(new Request("http://localhost"));
    assert.equal(response.status, 201);
    assert.equal(response.headers.get("x-own"), "1");
    assert.equal(await response.text(), "piece");
    assert.deepEqual(await stored, { note: "early" });
  });

  test("unreachable: 503 with Retry-After, and the cookie is left alone", async () => {
    const down = new SessionStore<Shop>({ servers: `127.0.0.1:${await freePort()}` });
    try {
      const visitor = visitorOf(undefined, down);
      visitor.cookie = "__Host-session=somebodys";
      const answer = await visitor.visit("/");
      assert.equal(answer.status, 503);
      assert.equal(answer.headers.get("retry-after"), "1");
      assert.deepEqual(answer.setCookie, []);
      assert.ok(!answer.text.includes("127.0.0.1"));
      let seen: unknown;
      const own = visitorOf({
        onUnavailable: (error, request) => {
          seen = error;
          return new Response(`sorry, ${request.url}`, { status: 500 });
        },
      }, down);
      own.cookie = visitor.cookie;
      const { text, status } = await own.visit("/there");
      assert.deepEqual([status, text], [500, "sorry, http://localhost/there"]);
      assert.ok(seen instanceof MemcachedError && seen.code === "SERVER_DOWN");
    } finally {
      await down.close();
    }
  });

  test("every other error is passed on, and nothing is stored", async () => {
    const visitor = visitorOf();
    await visitor.visit("/cart/tea");
    await assert.rejects(visitor.visit("/throw"), /the handler has failed/);
    const id = visitor.cookie.split("=")[1] as string;
    assert.deepEqual(await store.get(id), { cart: ["tea"] });
    const client = new Memcached(server.address, PATIENT);
    await client.set(store.mcKey(id), "no session");
    await client.close();
    await assert.rejects(visitor.visit("/"), CorruptValueError);
  });

  test("wrong arguments are refused at once", () => {
    const ok = (): Response => new Response();
    assert.throws(() => withSession(store, undefined as never), REFUSED);
    assert.throws(() => withSession(store, ok, { cookies: {} } as never), REFUSED);
    assert.throws(() => withSession(store, ok, { cookie: { name: "a b" } }), REFUSED);
    assert.throws(
      () => withSession(store, ok, { cookie: { name: "__Host-x", path: "/a" } }),
      REFUSED,
    );
    for (const other of [null, undefined, {}, "localhost:11211"]) {
      assert.throws(() => withSession(other as never, ok), REFUSED);
    }
    for (const onUnavailable of [null, "503", NaN, {}]) {
      assert.throws(() => withSession(store, ok, { onUnavailable } as never), REFUSED);
    }
    for (const cookie of [null, true, NaN, "sid", [], new Map([["secure", false]])]) {
      assert.throws(() => withSession(store, ok, { cookie } as never), REFUSED);
    }
  });
});

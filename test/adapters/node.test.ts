import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { after, before, describe, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Session, SessionStore } from "../../mod.ts";
import { type StoreOutcome, withNodeSession } from "../../src/adapters/node.ts";
import { freePort, type MemcachedServer, startMemcached } from "../support/memcached.ts";
import { type Shop, Visitor } from "./visitor.ts";
import { PATIENT } from "../support/patient.ts";

type Handler = (
  request: IncomingMessage,
  response: ServerResponse,
  session: Session<Shop>,
  save: () => Promise<StoreOutcome>,
) => void | Promise<void>;

const REFUSED = { name: "TypeError", code: "ERR_INVALID_ARGUMENT" };

describe("withNodeSession", () => {
  let memcached: MemcachedServer;
  let store: SessionStore<Shop>;
  before(async () => {
    memcached = await startMemcached();
    store = new SessionStore({ servers: memcached.address, ...PATIENT });
  });
  after(async () => {
    await store.close();
    await memcached.stop();
  });

  /** Makes a visitor of a server with this handler, and keeps the errors with which the listener rejects. */
  async function serve(
    t: TestContext,
    handler: Handler,
    of: SessionStore<Shop> = store,
    options?: Parameters<typeof withNodeSession<Shop, IncomingMessage, ServerResponse>>[2],
  ): Promise<{ visitor: Visitor; errors: unknown[] }> {
    const errors: unknown[] = [];
    const listener = withNodeSession(of, handler, options);
    const server: Server = createServer((request, response) => {
      listener(request, response).catch((error) => {
        errors.push(error);
        if (!response.headersSent) response.writeHead(500);
        response.end();
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      })
    );
    const { port } = server.address() as { port: number };
    return { visitor: new Visitor(`http://127.0.0.1:${port}`), errors };
  }

  const WRITES: Readonly<Record<string, (response: ServerResponse) => unknown>> = {
    end: (response) => response.end("body"),
    "write and end": (response) => {
      response.write("bo");
      response.end("dy");
    },
    "writeHead and end in one": (response) => response.writeHead(200).end("body"),
    "flushHeaders, then later": (response) => {
      response.flushHeaders();
      setTimeout(() => response.end("body"), 20);
    },
    "later, from a callback": (response) => {
      setTimeout(() => response.end("body"), 20);
    },
    "a pipe": (response) => Readable.from(["b", "o", "d", "y"]).pipe(response),
  };

  for (const [what, write] of Object.entries(WRITES)) {
    test(`written output waits until the session is stored: ${what}`, async (t) => {
      let id = "";
      const { visitor } = await serve(t, (_request, response, session) => {
        session.set("note", what);
        id = session.id;
        response.setHeader("Vary", "Accept");
        write(response);
      });
      const answer = await visitor.visit("/");
      assert.equal(answer.text, "body");
      assert.equal(answer.setCookie.length, 1);
      assert.equal(answer.headers.get("vary"), "Accept, Cookie");
      assert.deepEqual(await store.get(id), { note: what });
      assert.deepEqual((await visitor.visit("/")).setCookie, [], "of the same id");
    });
  }

  test("a large piped body arrives complete", async (t) => {
    const piece = "x".repeat(60_000);
    const { visitor } = await serve(t, (_request, response, session) => {
      session.set("note", "large");
      Readable.from(Array.from({ length: 40 }, () => piece)).pipe(response);
    });
    const { text } = await visitor.visit("/");
    assert.equal(text.length, 40 * piece.length);
  });

  const HEADS: Readonly<Record<string, unknown[]>> = {
    "an object": [201, { "Set-Cookie": ["a=1", "b=2"], "X-Own": "1", Vary: "Accept" }],
    "a message and an object": [201, "Fine", { "set-cookie": "a=1", "x-own": "1" }],
    "a flat list": [201, ["Set-Cookie", "a=1", "Set-Cookie", "b=2", "X-Own", "1"]],
    "an object and undefined": [201, { "Set-Cookie": ["a=1", "b=2"], "X-Own": "1" }, undefined],
    "no headers": [201],
  };

  for (const [what, args] of Object.entries(HEADS)) {
    test(`writeHead's own headers and ours: ${what}`, async (t) => {
      const { visitor } = await serve(t, (_request, response, session) => {
        session.set("note", "x");
        response.setHeader("X-Before", "0");
        (response.writeHead as (...args: unknown[]) => ServerResponse)(...args).end("body");
      });
      const { status, text, headers, setCookie } = await visitor.visit("/");
      assert.deepEqual([status, text, headers.get("x-before")], [201, "body", "0"]);
      assert.match(headers.get("vary") ?? "", /Cookie/);
      assert.match(setCookie.at(-1) ?? "", /^__Host-session=/);
      const own = what === "no headers"
        ? []
        : what.startsWith("a message")
        ? ["a=1"]
        : ["a=1", "b=2"];
      assert.deepEqual(setCookie.slice(0, -1), own);
      assert.equal(headers.get("x-own"), own.length > 0 ? "1" : null);
    });
  }

  test("save stores before the response, and later changes are stored again", async (t) => {
    const seen: unknown[] = [];
    const { visitor } = await serve(t, async (_request, response, session, save) => {
      session.set("note", "early");
      await save();
      seen.push(await store.get(session.id));
      session.set("note", "late");
      response.end("body");
    });
    const { setCookie } = await visitor.visit("/");
    assert.equal(setCookie.length, 1);
    assert.deepEqual(seen, [{ note: "early" }]);
    const id = visitor.cookie.split("=")[1] as string;
    assert.deepEqual(await store.get(id), { note: "late" });
  });

  test("unreachable: 503 with Retry-After, none of the handler's headers, the cookie left alone", async (t) => {
    const port = await freePort();
    const down = new SessionStore<Shop>({ servers: `127.0.0.1:${port}` });
    t.after(() => down.close());
    let handled = 0;
    const handler: Handler = (_request, response, session) => {
      handled++;
      session.set("note", "x");
      response.setHeader("X-Own", "1");
      response.writeHead(201, { "Content-Length": "4" });
      response.end("body");
    };
    const { visitor, errors } = await serve(t, handler, down);
    // Without a cookie the session is new, and only storing it fails; with one, opening it does.
    for (const cookie of ["", "__Host-session=somebodys"]) {
      visitor.cookie = cookie;
      const { status, headers, setCookie, text } = await visitor.visit("/");
      assert.equal(status, 503);
      assert.equal(headers.get("retry-after"), "1");
      assert.equal(headers.get("x-own"), null);
      assert.deepEqual(setCookie, []);
      assert.notEqual(text, "body");
    }
    assert.equal(handled, 1);
    assert.deepEqual(errors, []);
  });

  test("save resolves to what it did with the session", async (t) => {
    const { visitor } = await serve(t, async (request, response, session, save) => {
      if (request.url === "/logged-out-elsewhere") await store.delete(session.id);
      if (request.url === "/logout") session.destroy();
      else if (request.url !== "/look") session.set("note", request.url as string);
      response.end(await save());
    });
    const outcomes = [];
    for (const path of ["/look", "/first", "/look", "/logout", "/first", "/logged-out-elsewhere"]) {
      outcomes.push((await visitor.visit(path)).text);
    }
    assert.deepEqual(outcomes, ["unchanged", "stored", "unchanged", "deleted", "stored", "gone"]);
  });

  test("unreachable: onUnavailable answers, without the handler's headers", async (t) => {
    const port = await freePort();
    const down = new SessionStore<Shop>({ servers: `127.0.0.1:${port}` });
    t.after(() => down.close());
    const handler: Handler = (_request, response, session) => {
      session.set("note", "x");
      response.setHeader("X-Own", "1").setHeader("Set-Cookie", "own=1");
      response.end("body");
    };
    const { visitor, errors } = await serve(t, handler, down, {
      async onUnavailable({ code }, request, response): Promise<void> {
        await sleep(1);
        response.writeHead(500).end(`${code} at ${request.url}`);
      },
    });
    for (const cookie of ["", "__Host-session=somebodys"]) {
      visitor.cookie = cookie;
      const { status, headers, setCookie, text } = await visitor.visit("/there");
      assert.deepEqual([status, text], [500, "SERVER_DOWN at /there"]);
      assert.equal(headers.get("x-own"), null);
      assert.deepEqual(setCookie, []);
    }
    assert.deepEqual(errors, []);
  });

  test("an error of the handler is passed on; nothing is stored, and the response is left to the caller", async (t) => {
    let id = "";
    const { visitor, errors } = await serve(t, async (request, response, session) => {
      session.set("note", "x");
      id = session.id;
      if (request.url === "/written") response.write("half");
      await Promise.resolve();
      throw new Error("the handler has failed");
    });
    const { status, setCookie } = await visitor.visit("/");
    assert.equal(status, 500);
    assert.deepEqual(setCookie, []);
    assert.match(String(errors[0]), /the handler has failed/);
    assert.equal(await store.get(id), undefined);
    assert.equal((await visitor.visit("/written")).status, 500);
    await sleep(30);
    assert.equal(errors.length, 2);
  });

  test("an error of storing is passed on", async (t) => {
    const { visitor, errors } = await serve(t, (_request, response, session) => {
      session.set("note", (() => 1) as never);
      response.end("body");
    });
    assert.equal((await visitor.visit("/")).status, 500);
    assert.equal((errors[0] as { code?: string }).code, "SERIALIZATION");
  });

  test("a visitor who goes away leaves nothing behind", async (t) => {
    let settled: (() => void) | undefined;
    const over = new Promise<void>((resolve) => settled = resolve);
    const listener = withNodeSession(store, () => {}); // never answers
    const server = createServer((request, response) => {
      listener(request, response).then(settled);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => server.close());
    const { port } = server.address() as { port: number };
    const controller = new AbortController();
    const visit = fetch(`http://127.0.0.1:${port}`, { signal: controller.signal });
    setTimeout(() => controller.abort(), 50);
    await assert.rejects(visit);
    await over;
  });

  test("a response that sets the cookie is for no shared cache", async (t) => {
    const { visitor } = await serve(t, (request, response, session) => {
      if (request.url === "/set") session.set("note", "new");
      response.writeHead(200, { "Cache-Control": "public, max-age=60" }).end();
    });
    const caching = async (path: string): Promise<string | null> =>
      (await visitor.visit(path)).headers.get("cache-control");
    assert.equal(await caching("/"), "public, max-age=60");
    assert.equal(await caching("/set"), "private, max-age=60");
  });

  test("wrong arguments are refused at once", () => {
    assert.throws(() => withNodeSession(store, undefined as never), REFUSED);
    assert.throws(() => withNodeSession(store, () => {}, { name: "sid" } as never), REFUSED);
    assert.throws(() => withNodeSession(store, () => {}, { cookie: { name: "a b" } }), REFUSED);
    assert.throws(() => withNodeSession({} as never, () => {}), REFUSED);
    assert.throws(
      () => withNodeSession(store, () => {}, { onUnavailable: null } as never),
      REFUSED,
    );
    assert.throws(() => withNodeSession(store, () => {}, { cookie: new Map() } as never), REFUSED);
  });
});

// Real servers of this runtime and real requests: a login beside a slow reader and a slow writer.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, test, type TestContext } from "node:test";
import { SessionStore } from "../../mod.ts";
import { withNodeSession } from "../../src/adapters/node.ts";
import { withSession } from "../../src/adapters/web.ts";
import { type MemcachedServer, startMemcached } from "../support/memcached.ts";
import { Application, type Shop, Visitor } from "./visitor.ts";

type Handler = (request: Request) => Promise<Response>;

/** A running application: its address, and how to stop it. */
interface Running {
  readonly origin: string;
  stop(): Promise<unknown>;
}

/** A global that only one of the runtimes has. */
const runtime = globalThis as {
  readonly Deno?: {
    serve(options: object, handler: Handler): { addr: { port: number }; shutdown(): Promise<void> };
  };
  readonly Bun?: {
    serve(options: object): { port: number; stop(closeActive: boolean): Promise<void> };
  };
};

const SERVERS: Record<string, (store: SessionStore<Shop>, shop: Application) => Promise<Running>> =
  {
    "node:http": (store, shop) => startNode(store, shop),
  };
if (runtime.Deno !== undefined) {
  const { serve } = runtime.Deno;
  SERVERS["Deno.serve"] = (store, shop) => {
    const server = serve({ port: 0, onListen: () => {} }, webHandler(store, shop));
    const origin = `http://127.0.0.1:${server.addr.port}`;
    return Promise.resolve({ origin, stop: () => server.shutdown() });
  };
}
if (runtime.Bun !== undefined) {
  const { serve } = runtime.Bun;
  SERVERS["Bun.serve"] = (store, shop) => {
    const server = serve({ port: 0, fetch: webHandler(store, shop) });
    const origin = `http://127.0.0.1:${server.port}`;
    return Promise.resolve({ origin, stop: () => server.stop(true) });
  };
}

async function startNode(store: SessionStore<Shop>, shop: Application): Promise<Running> {
  const server = createServer(withNodeSession(store, async (request, response, session) => {
    response.end(await shop.answer(request.url ?? "", session));
  }));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { origin: `http://127.0.0.1:${port}`, stop };
}

function webHandler(store: SessionStore<Shop>, shop: Application): Handler {
  return withSession(store, async (request, session) => {
    return new Response(await shop.answer(new URL(request.url).pathname, session));
  });
}

for (const [name, start] of Object.entries(SERVERS)) {
  describe(`requests at the same time, ${name}`, () => {
    let memcached: MemcachedServer;
    before(async () => memcached = await startMemcached());
    after(() => memcached.stop());

    async function setUp(t: TestContext): Promise<{ shop: Application; visitor: Visitor }> {
      const store = new SessionStore<Shop>({ servers: memcached.address });
      const shop = new Application();
      const running = await start(store, shop);
      t.after(async () => {
        await running.stop();
        await store.close();
      });
      return { shop, visitor: new Visitor(running.origin) };
    }

    test("a login beside a slow reader and a slow writer: the visitor stays logged in", async (t) => {
      const { shop, visitor } = await setUp(t);
      assert.equal((await visitor.visit("/cart/tea")).text, "nobody tea");
      const old = visitor.cookie;
      shop.hold();
      const arrived = shop.arrivals(2);
      const slow = [visitor.visit("/slow/read"), visitor.visit("/slow/write")];
      await arrived;
      assert.equal((await visitor.visit("/login")).text, "ada tea");
      const login = visitor.cookie;
      assert.notEqual(login, old);
      shop.release();
      for (const { status, setCookie } of await Promise.all(slow)) {
        assert.equal(status, 200);
        assert.deepEqual(setCookie, []);
      }
      assert.equal(visitor.cookie, login);
      assert.equal((await visitor.visit("/")).text, "ada tea");
    });

    test("a request with the old cookie that comes after the login sets none", async (t) => {
      const { visitor } = await setUp(t);
      await visitor.visit("/cart/tea");
      const old = visitor.cookie;
      await visitor.visit("/login");
      const login = visitor.cookie;
      for (const path of ["/write", "/cart/late", "/"]) {
        const { text, setCookie } = await visitor.visit(path, old);
        assert.ok(text.startsWith("nobody"), text);
        assert.deepEqual(setCookie, []);
      }
      assert.equal(visitor.cookie, login);
      assert.equal((await visitor.visit("/")).text, "ada tea");
    });

    test("a logout beside a slow writer: the visitor stays logged out", async (t) => {
      const { shop, visitor } = await setUp(t);
      await visitor.visit("/login");
      const ended = visitor.cookie;
      shop.hold();
      const arrived = shop.arrivals(1);
      const slow = visitor.visit("/slow/write");
      await arrived;
      await visitor.visit("/logout");
      assert.equal(visitor.cookie, "");
      shop.release();
      assert.deepEqual((await slow).setCookie, []);
      assert.equal(visitor.cookie, "");
      assert.equal((await visitor.visit("/", ended)).text, "nobody -");
    });

    test("ten requests at once that each put something into the cart: all of it is there", async (t) => {
      const { visitor } = await setUp(t);
      await visitor.visit("/cart/first");
      const { cookie } = visitor;
      const visits = Array.from({ length: 10 }, (_, n) => visitor.visit(`/cart/${n}`));
      for (const { setCookie } of await Promise.all(visits)) assert.deepEqual(setCookie, []);
      assert.equal(visitor.cookie, cookie);
      const cart = (await visitor.visit("/")).text.split(" ")[1]?.split(",");
      assert.deepEqual(new Set(cart), new Set(["first", ..."0123456789"]));
    });
  });
}

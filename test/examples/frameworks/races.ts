/**
 * Tests of concurrent requests from one visitor, over HTTP, for a framework whose own session middleware uses
 * one of memwire's stores.
 */
import assert from "node:assert/strict";
import { after, before, describe, test, type TestContext } from "node:test";
import { Memcached } from "memwire";
import { Visitor } from "../../adapters/visitor.ts";
import { type MemcachedServer, startMemcached } from "../../support/memcached.ts";

/** What each framework gives its handlers, under names of its own. */
export interface Visit {
  /** The session of this request, as it is now. */
  session(): Record<string, unknown>;
  regenerate(): Promise<void>;
  destroy(): Promise<void>;
}

/** Answers a path. */
export type Answer = (path: string, visit: Visit) => Promise<string>;

/** A framework's server. */
export interface Running {
  readonly origin: string;
  stop(): Promise<unknown>;
}

/** Starts a framework whose session cookie is called "session" and has no expiry. */
export type Start = (client: Memcached, answer: Answer) => Promise<Running>;

/** A gate at which slow requests wait until all expected ones have arrived and the test lets them in. */
class Gate {
  readonly #waiting: (() => void)[] = [];
  readonly #expected: number;
  #all = (): void => {};
  /** Resolves when all expected requests have arrived. */
  readonly arrived: Promise<void> = new Promise((resolve) => this.#all = resolve);

  constructor(expected: number) {
    this.#expected = expected;
  }

  /** Lets this many requests in, by default all. */
  open(count: number = this.#expected): void {
    for (const go of this.#waiting.splice(0, count)) go();
  }

  pass(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#waiting.push(resolve) === this.#expected) this.#all();
    });
  }
}

/** Declares the tests of a framework. */
export function describeRaces(framework: string, start: Start): void {
  describe(`${framework}: requests of a visitor that meet`, () => {
    let memcached: MemcachedServer;
    before(async () => memcached = await startMemcached());
    after(() => memcached.stop());

    async function setUp(
      t: TestContext,
      server: MemcachedServer = memcached,
    ): Promise<{ visitor: Visitor; slow: (visitors: number) => Gate }> {
      const client = new Memcached(server.address);
      let gate = new Gate(0);
      const running = await start(client, async (path, visit) => {
        if (path.startsWith("/slow")) await gate.pass();
        if (path === "/login") {
          const { cart } = visit.session();
          await visit.regenerate();
          if (cart !== undefined) visit.session()["cart"] = cart;
          visit.session()["user"] = "ada";
        }
        if (path === "/logout") {
          await visit.destroy();
          return "bye";
        }
        const [, field] = /\/put\/(\w+)/.exec(path) ?? [];
        const session = visit.session();
        if (field !== undefined) session[field] = "put";
        return Object.keys(session).filter((name) => name !== "cookie").sort().join();
      });
      t.after(async () => {
        await running.stop();
        await client.close();
      });
      return {
        visitor: new Visitor(running.origin),
        slow: (visitors) => gate = new Gate(visitors),
      };
    }

    test("ten concurrent requests that each set a field: all ten fields are kept", async (t) => {
      const { visitor, slow } = await setUp(t);
      await visitor.visit("/put/first");
      const gate = slow(10);
      const visits = Array.from({ length: 10 }, (_, n) => visitor.visit(`/slow/put/f${n}`));
      await gate.arrived;
      gate.open(5); // five at once
      await Promise.any(visits);
      gate.open(); // and five that have read an outdated session
      for (const { status } of await Promise.all(visits)) assert.equal(status, 200);
      const fields = (await visitor.visit("/")).text.split(",");
      assert.deepEqual(fields, [..."0123456789"].map((n) => `f${n}`).concat("first"));
    });

    test("a late save after a logout does not bring the session back", async (t) => {
      const { visitor, slow } = await setUp(t);
      await visitor.visit("/login");
      const { cookie } = visitor;
      const gate = slow(2);
      const late = [visitor.visit("/slow/put/late"), visitor.visit("/slow/read")];
      await gate.arrived;
      assert.equal((await visitor.visit("/logout")).text, "bye");
      gate.open();
      await Promise.all(late);
      assert.equal((await visitor.visit("/", cookie)).text, "");
    });

    test("a login stays while a slow request writes and another reads", async (t) => {
      const { visitor, slow } = await setUp(t);
      await visitor.visit("/put/cart");
      const gate = slow(2);
      const late = [visitor.visit("/slow/put/late"), visitor.visit("/slow/read")];
      await gate.arrived;
      assert.equal((await visitor.visit("/login")).text, "cart,user");
      const { cookie } = visitor;
      gate.open();
      for (const { status } of await Promise.all(late)) assert.equal(status, 200);
      assert.equal((await visitor.visit("/", cookie)).text, "cart,user");
    });

    test("a server that dies under load: 503 without a cookie, and it works again afterwards", async (t) => {
      const server = await startMemcached();
      t.after(() => server.stop());
      const { visitor } = await setUp(t, server);
      await visitor.visit("/put/first");
      const { cookie } = visitor;
      let unavailable = 0;
      let dead = false;
      const browse = async (): Promise<void> => {
        for (let visits = 0; unavailable < 20 && visits < 10_000; visits++) {
          const { status, setCookie, text } = await visitor.visit("/", cookie);
          if (status === 503) unavailable++;
          else assert.deepEqual([status, text], [200, "first"]);
          if (dead) assert.deepEqual(setCookie, []);
        }
      };
      const load = Promise.all(Array.from({ length: 8 }, browse));
      await new Promise((resolve) => setTimeout(resolve, 50));
      dead = true;
      await server.kill();
      await load;
      assert.ok(unavailable >= 20, `${unavailable}`);
      await server.restart();
      for (let tries = 0;; tries++) {
        const { status } = await visitor.visit("/put/again");
        if (status === 200) break;
        assert.ok(tries < 200);
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
      assert.equal((await visitor.visit("/")).text, "again");
    });
  });
}
